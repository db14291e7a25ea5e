import java.util.function.*;
class Main {
    interface Shape { } enum Op { ADD { int of() { return 1; } }; abstract int of(); }
    static String plain(Object o) { return o.getClass().getName().replaceAll("Lambda.*", "Lambda") + " " + o.getClass().isHidden() + o.getClass().isSynthetic() + o.getClass().getSimpleName().replaceAll("Lambda.*", "Lambda"); }
    public static void main(String[] args) {
        class Local { }
        Supplier<String> s = () -> "x"; Function<String, Integer> f = String::length;
        for (Object o : new Object[] {s, f, new Shape() { }, new Local(), Op.ADD, new int[0][], new Main[0], Comparable.class, (Runnable & java.io.Serializable) () -> { }}) System.out.println(plain(o));
    }
}
