// @benign format_locales.java
// @what the default locale is neutral (point, not comma), others on request: numbers, money, dates, sorting, plural choice
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=1234.50 1,234,567 1.230000e-03 ff -003.142 +5 10 true x      right|left  |UP\n1.234.567,89 1,234,567.89 0,5\n1234.5 26% (1,234.50)\nb a a % d01 null 2024-03-01 Friday\n[Zoo, apfel, zebra, Äpfel] [apfel, Äpfel, zebra, Zoo]\nno files; one file; 5 files; en 2 Germany\nd != java.lang.Double\nFormat specifier '%s'
import java.text.*;
import java.util.*;

public class FormatLocales {
    public static void main(String[] args) throws ParseException {
        System.out.println(String.format("%.2f %,d %e %x %08.3f %+d %o %b %c %10s|%-6s|%S", 1234.5, 1234567, 0.00123,
            255, -3.14159, 5, 8, true, 'x', "right", "left", "up"));
        System.out.println(String.format(Locale.GERMANY, "%,.2f", 1234567.891) + " "
            + String.format(Locale.US, "%,.2f", 1234567.891) + " " + String.format(Locale.FRANCE, "%.1f", 0.5));
        System.out.println(NumberFormat.getInstance(Locale.GERMANY).parse("1.234,5") + " "
            + NumberFormat.getPercentInstance(Locale.US).format(0.256) + " " + new DecimalFormat("#,##0.00;(#)",
            DecimalFormatSymbols.getInstance(Locale.US)).format(-1234.5));
        System.out.println(String.format("%2$s %1$s %<s %%", "a", "b") + " " + String.format("%h %h", "hi", null) + " "
            + String.format(Locale.US, "%tY-%<tm-%<td %<tA", new GregorianCalendar(2024, Calendar.MARCH, 1)));
        List<String> words = new ArrayList<>(List.of("zebra", "Äpfel", "apfel", "Zoo"));
        Collections.sort(words);
        System.out.print(words + " ");
        words.sort(Collator.getInstance(Locale.GERMAN));
        System.out.println(words);
        for (int n : new int[] {0, 1, 5}) System.out.print(new MessageFormat("{0,choice,0#no files|1#one file|1<{0} files}; ", Locale.US).format(new Object[] {n}));
        System.out.println(Locale.getDefault().getLanguage() + " "
            + Currency.getInstance("EUR").getDefaultFractionDigits() + " "
            + Locale.GERMANY.getDisplayCountry(Locale.ENGLISH));
        try {
            String.format("%d", 1.5);
        } catch (IllegalFormatConversionException e) {
            System.out.println(e.getMessage());
        }
        try {
            String.format("%s %s", 1);
        } catch (MissingFormatArgumentException e) {
            System.out.println(e.getMessage());
        }
    }
}
