import java.math.*;
import java.util.*;
import java.util.concurrent.Callable;
class Main {
    enum Colour { RED }
    public static void main(String[] args) {
        List<Callable<Object>> all = List.of(() -> new int[2][3][1][4].length, () -> "abc".charAt(7), () -> "abc".substring(2, 1), () -> List.of(1, 2).get(2),
            () -> new ArrayList<>(List.of(1)).get(1), () -> new ArrayDeque<>().removeFirst(), () -> Integer.parseInt("12a"), () -> Double.parseDouble(""),
            () -> Colour.valueOf("BLUE"), () -> List.of(1).add(2), () -> Map.of(1, 1, 1, 2), () -> Optional.empty().get(), () -> 1 % (args.length),
            () -> new BigInteger("x"), () -> BigDecimal.ONE.divide(new BigDecimal(3)), () -> String.format("%d", "x"), () -> String.format("%q"),
            () -> Class.forName("Missing"), () -> new Scanner("x").nextInt(), () -> new PriorityQueue<Object>(List.of(1, "x")), () -> Objects.requireNonNull(null, "why"),
            () -> java.time.LocalDate.of(2023, 2, 29), () -> java.util.regex.Pattern.compile("("), () -> Thread.class.getMethod("none"), () -> new Object[] {1}[1]);
        for (Callable<Object> each : all) try { System.out.println(each.call()); } catch (Throwable e) { System.out.println(e + " " + e.getStackTrace().length + " " + e.getStackTrace()[0]); }
    }
}
