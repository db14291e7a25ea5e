// @benign time_zones.java
// @what the zone is UTC unless set; named zones with gaps and overlaps, formatting, periods, leap days, the clock is right and advances
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=Z 0 Thu Jan 01 00:00:00 UTC 1970\n2024-03-31T03:30+02:00[Europe/Berlin] 2024-04-01T01:30:00Z +01:00\n+02:00 +01:00 02:30\n2024-07-03T07:16:40-02:30\n1970-01-01T05:30\nP1M29D false 2024-02-29 8766 53\nFreitag 1. März 2024 PT1H2M3.004S\nno such day\ntrue true
import java.time.*;
import java.time.format.*;
import java.time.temporal.*;
import java.util.*;

public class TimeZones {
    public static void main(String[] args) {
        System.out.println(ZonedDateTime.ofInstant(Instant.EPOCH, ZoneId.systemDefault()).getOffset() + " "
            + TimeZone.getDefault().getRawOffset() + " " + new Date(0));
        ZoneId berlin = ZoneId.of("Europe/Berlin");
        ZonedDateTime gap = ZonedDateTime.of(2024, 3, 31, 2, 30, 0, 0, berlin);
        System.out.println(gap + " " + gap.plusDays(1).toInstant() + " " + gap.minusHours(1).getOffset());
        ZonedDateTime twice = ZonedDateTime.of(2024, 10, 27, 2, 30, 0, 0, berlin);
        System.out.println(twice.getOffset() + " " + twice.withLaterOffsetAtOverlap().getOffset() + " "
            + twice.plusHours(1).toLocalTime());
        System.out.println(Instant.ofEpochSecond(1720000000).atZone(ZoneId.of("America/St_Johns"))
            .format(DateTimeFormatter.ISO_OFFSET_DATE_TIME));
        TimeZone.setDefault(TimeZone.getTimeZone("Asia/Kathmandu"));
        System.out.println(LocalDateTime.ofInstant(Instant.EPOCH, ZoneId.systemDefault()));
        System.out.println(Period.between(LocalDate.of(2023, 12, 31), LocalDate.of(2024, 2, 29)) + " "
            + Year.isLeap(1900) + " " + LocalDate.of(2024, 1, 31).plusMonths(1)
            + " " + ChronoUnit.DAYS.between(LocalDate.of(2000, 1, 1), LocalDate.of(2024, 1, 1)) + " "
                + LocalDate.of(2021, 1, 3).get(IsoFields.WEEK_OF_WEEK_BASED_YEAR));
        System.out.println(DateTimeFormatter.ofPattern("EEEE d. MMMM uuuu", Locale.GERMANY).format(LocalDate.of(2024,
            3, 1)) + " " + Duration.ofMillis(3_723_004));
        try {
            LocalDate.parse("2023-02-29");
        } catch (DateTimeParseException e) {
            System.out.println("no such day");
        }
        long t = System.nanoTime();
        System.out.println(Instant.now().isAfter(Instant.parse("2024-01-01T00:00:00Z")) + " "
            + (System.nanoTime() >= t));
    }
}
