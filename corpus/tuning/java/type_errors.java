import java.util.*;
import java.util.function.*;
class Main {
    static final int FIXED = 1;
    static int noReturn(int a) { if (a > 0) return 1; }
    public static void main(String[] args) {
        int small = 3.5; byte b = 300; boolean flag = 1; String s = new Object(); char c = "c";
        if (small = 3) { } FIXED = 2; int twice = 1; int twice = 2; int unset; System.out.println(unset);
        Function<String, Integer> f = (x, y) -> 1; List<int> ints; for (String each : 5) { } var n = null; return 5;
    }
    void checked() { throw new Exception("x"); }
    void unreachable() { while (true) { } int x; }
    class Square implements Runnable { }
    void captured() { int i = 0; i++; Runnable r = () -> System.out.println(i); }
}
