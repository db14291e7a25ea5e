// What the compiler warns of.

import java.io.Serializable;
import java.util.*;

public class Doubtful implements Serializable {
    @Deprecated void old() { }

    static class Closing implements AutoCloseable {
        @Override public void close() throws Exception { }
    }

    @SuppressWarnings("unused") private final List raw = new ArrayList();

    @SafeVarargs static <T> List<T> all(T... each) { return Arrays.asList(each); }

    void doubtful(int n) throws Exception {
        raw.add("x");
        List<String> unchecked = raw;
        List<String> cast = (List<String>) (Object) raw;
        String redundant = (String) "x";
        switch (n) {
            case 1: n++;
            case 2: n--;
        }
        new Date(2000, 1, 1);
        new Integer(5);
        Thread.currentThread().stop();
        try (Closing closing = new Closing()) { }
        try { n++; } finally { return; }
    }

    static int divide() { return 1 / 0; }

    void byStatic(Doubtful other) { other.divide(); if (true); }
}
