import java.time.LocalDate;
import java.time.format.TextStyle;
import java.util.Locale;
import java.util.Scanner;

class Main {
    public static void main(String[] args) {
        Scanner in = new Scanner(System.in);
        while (in.hasNext()) {
            LocalDate day = LocalDate.parse(in.next());
            System.out.println(day.getDayOfWeek().getDisplayName(TextStyle.FULL, Locale.ENGLISH));
        }
    }
}
