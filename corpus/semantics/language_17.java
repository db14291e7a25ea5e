// @benign language_17.java
// @what records with checks, sealed interfaces, patterns, switch expressions, text blocks, var, enhanced enums, local records: the language of JDK 17
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=3.142 4.0 0\nCircle[r=2.0] true true 2\nnegative radius\nweekend, nearly there, work, error\n{\n  "name": "block", "quote": """\n}\nPLUS 6+7=13 Op; TIMES 6*7=42 Op; [Pair[first=a, second=1]] x abab x|[1, 2] 5%\nleft at 2 2\n5 lambda 170 1000000 b 98
import java.util.*;
import java.util.function.*;

public class Language17 {
    sealed interface Shape permits Circle, Square {}
    record Circle(double r) implements Shape {
        Circle { if (r < 0) throw new IllegalArgumentException("negative radius"); }
    }
    record Square(double side) implements Shape {}
    enum Op implements IntBinaryOperator {
        PLUS("+") { public int applyAsInt(int a, int b) { return a + b; } },
        TIMES("*") { public int applyAsInt(int a, int b) { return a * b; } };
        final String sign;
        Op(String sign) { this.sign = sign; }
    }

    static double area(Shape s) {
        if (s instanceof Circle c && c.r() > 0) return Math.PI * c.r() * c.r();
        if (s instanceof Square q) return q.side() * q.side();
        return 0;
    }

    static String kind(int day) {
        return switch (day) {
            case 6, 7 -> "weekend";
            case 5 -> { String s = "nearly"; yield s + " there"; }
            default -> day < 0 ? "error" : "work";
        };
    }

    public static void main(String[] args) {
        System.out.printf(Locale.ROOT, "%.3f %.1f %.0f%n", area(new Circle(1)), area(new Square(2)),
            area(new Circle(0)));
        System.out.println(new Circle(2) + " " + new Circle(2).equals(new Circle(2)) + " " + Circle.class.isRecord()
            + " " + Shape.class.getPermittedSubclasses().length);
        try { new Circle(-1); } catch (IllegalArgumentException e) { System.out.println(e.getMessage()); }
        System.out.println(kind(6) + ", " + kind(5) + ", " + kind(1) + ", " + kind(-1));
        String block = """
            {
              "name": "block",\
             "quote": ""\"
            }
            """;
        System.out.print(block);
        for (Op o : Op.values()) System.out.print(o + " 6" + o.sign + "7=" + o.applyAsInt(6, 7) + " "
            + o.getDeclaringClass().getSimpleName() + "; ");
        record Pair<A, B>(A first, B second) { static <T> Pair<T, T> twice(T t) { return new Pair<>(t, t); } }
        var list = new ArrayList<Pair<String, Integer>>();
        list.add(new Pair<>("a", 1));
        System.out.println(list + " " + Pair.twice('x').second() + " " + "ab".repeat(2) + " " + "  x ".strip() + "|"
            + "1\n2\n".lines().toList() + " " + "%d%%".formatted(5));
        outer:
        for (int i = 0; ; i++) for (int j = 0; j < 3; j++) {
            if (i * j == 4) { System.out.println("left at " + i + " " + j); break outer; }
        }
        Function<Integer, Function<Integer, Integer>> add = x -> y -> x + y;
        System.out.println(add.apply(2).apply(3) + " " + ((Supplier<String>) () -> "lambda").get() + " " + 0b1010_1010
            + " " + 1_000_000L + " " + (char) ('a' + 1) + " " + ('a' + 1));
    }
}
