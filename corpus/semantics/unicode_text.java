// @benign unicode_text.java
// @what strings are UTF-16: code points beyond it, normal forms, special upper and lower case, UTF-8 on stdin and stdout without being asked for
// @limits cpu=10 wall=20 mem=512
// @stdin žluťoučký 𝄞 ☃
// @expect exit=0
// @expect out=žluťoučký 𝄞 ☃ 14 units 13 points\n[U+1D11E]\n☃ 𝄞 ýkčuoťulž\nSTRASSE Ǆ tıtle i\nfalse true 2\nSNOWMAN 8 CYRILLIC\n42 3 ☃ azä\n𝄞 true
import java.text.Normalizer;
import java.util.*;
import java.util.stream.*;

public class UnicodeText {
    public static void main(String[] args) {
        String in = new Scanner(System.in).nextLine();
        System.out.println(in + " " + in.length() + " units " + in.codePointCount(0, in.length()) + " points");
        System.out.println(in.codePoints().filter(Character::isSupplementaryCodePoint)
            .mapToObj(c -> String.format("U+%X", c)).toList());
        System.out.println(new StringBuilder(in).reverse());
        System.out.println("straße ǆ".toUpperCase(Locale.ROOT) + " "
            + "TITLE İ".toLowerCase(Locale.forLanguageTag("tr")));
        String one = "é", two = "e\u0301";
        System.out.println(one.equals(two) + " " + one.equals(Normalizer.normalize(two, Normalizer.Form.NFC)) + " "
            + two.length());
        System.out.println(Character.getName('☃') + " " + Character.getNumericValue('Ⅷ') + " "
            + Character.UnicodeScript.of('ж'));
        int größe = 6, Ω = 7;
        System.out.println(größe * Ω + " " + "[\\t]".translateEscapes().length() + " \u2603 "
            + Stream.of("ä", "z", "a").sorted().collect(Collectors.joining()));
        System.out.println("𝄞".charAt(0) + "" + "𝄞".charAt(1) + " " + Character.isSurrogate("𝄞".charAt(1)));
    }
}
