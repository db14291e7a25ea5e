import java.text.*;
import java.time.*;
import java.time.format.*;
import java.util.*;
class Main {
    public static void main(String[] args) {
        System.out.printf("%,d|%08.3f|%-8s|%+d|%e|%x|%c|%b|%tF|%s%n", 1234567, Math.PI, "x", 5, 12345.678, 255, 'c', true, new GregorianCalendar(2024, 1, 29), new int[0].length);
        for (Locale l : new Locale[] {Locale.ROOT, Locale.US, Locale.GERMANY, Locale.JAPAN, new Locale("ar", "EG")}) System.out.println(String.format(l, "%,.2f %tB", 12345.678, new GregorianCalendar(2024, 1, 29)) + NumberFormat.getCurrencyInstance(l).format(5) + DateTimeFormatter.ofLocalizedDate(FormatStyle.FULL).withLocale(l).format(LocalDate.of(2024, 2, 29)));
        System.out.println(ZonedDateTime.of(2024, 3, 31, 2, 30, 0, 0, ZoneId.of("Europe/Berlin")) + " " + Duration.ofSeconds(3661) + new SimpleDateFormat("yyyy-MM-dd EEE").format(new Date(0)) + new DecimalFormat("#,##0.00").format(1234.5));
        System.out.println(1e21 + " " + 1e-5 + 0.1f + 100.0 + (0.1 + 0.2) + Double.MIN_VALUE + Float.MAX_VALUE + (char) 945 + "ß".toUpperCase() + "I".toLowerCase(new Locale("tr")));
    }
}
