// @benign scanner_lines.java
// @what Scanner as beginners use it: numbers, the rest of a line, words, a decimal point whatever the locale, bad input, Windows line ends, no last newline
// @limits cpu=10 wall=20 mem=512
// @stdin @hex:3320342e350d0a66756c6c206e616d650d0a0d0a74727565206162630a6c617374
// @expect exit=0
// @expect out=3 4.5 [] [full name] []\ntrue mismatch null, still there: abc\ntrue last false\nend: No line found
import java.util.*;

public class ScannerLines {
    public static void main(String[] args) {
        Scanner in = new Scanner(System.in);
        int n = in.nextInt();
        double d = in.nextDouble();
        String rest = in.nextLine(), name = in.nextLine(), empty = in.nextLine();
        System.out.println(n + " " + d + " [" + rest + "] [" + name + "] [" + empty + "]");
        boolean b = in.nextBoolean();
        try {
            in.nextInt();
        } catch (InputMismatchException e) {
            System.out.println(b + " mismatch " + e.getMessage() + ", still there: " + in.next());
        }
        in.nextLine();
        System.out.println(in.hasNextLine() + " " + in.nextLine() + " " + in.hasNextLine());
        try {
            in.nextLine();
        } catch (NoSuchElementException e) {
            System.out.println("end: " + e.getMessage());
        }
    }
}
