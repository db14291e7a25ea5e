// flags: -Xlint:rawtypes -Xlint:fallthrough
import java.io.Serializable;
import java.util.*;
class Main implements Serializable {
    @Deprecated void old() { }
    static class Closing implements AutoCloseable { public void close() throws Exception { } }
    List raw = new ArrayList();
    static <T> List<T> all(T... each) { return Arrays.asList(each); }
    int doubtful(int n) throws Exception {
        raw.add("x");
        List<String> cast = (List<String>) (Object) raw;
        String redundant = (String) "x";
        switch (n) { case 1: n++; case 2: n--; }
        new Date(2000, 1, 1); new Integer(5); new Other().old();
        try (Closing closing = new Closing()) { }
        try { n++; } finally { return n; }
    }
    static int divide() { return 1 / 0; }
    void byStatic(Main other) { other.divide(); if (true); }
    public static void main(String[] args) throws Exception { System.out.println(new Main().doubtful(1)); }
}
class Other { @Deprecated(forRemoval = true) void old() { } }
