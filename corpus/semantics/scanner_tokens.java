// @benign scanner_tokens.java
// @what 100,000 tokens of a large input with Scanner and a delimiter of its own; the program ends without reading the rest
// @limits cpu=10 wall=20 mem=512
// @stdin @10MB-digits
// @expect exit=0
// @expect out=100000 tokens, sum 1234567800000\nrest has more true
import java.util.*;

public class ScannerTokens {
    public static void main(String[] args) {
        Scanner in = new Scanner(System.in).useDelimiter("9");
        long sum = 0;
        int n = 0;
        while (n < 100000 && in.hasNextLong()) { sum += in.nextLong(); n++; }
        System.out.println(n + " tokens, sum " + sum);
        System.out.println("rest has more " + in.hasNext());
    }
}
