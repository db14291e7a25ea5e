// What learners get wrong: each line is a mistake of its own that the compiler has words for.

import java.util.*;
import java.util.function.Function;

public class Wrong extends Missing implements Runnable {
    interface Shape { double area(); }

    static final int FIXED = 1;
    int number = "text";
    String text = 5;
    List<int> list = new ArrayList<>();
    Strin name;

    int noReturn(int a) { if (a > 0) return 1; }

    void calls() {
        undefined(1);
        noReturn("x", 2);
        this.nothing.at = 3;
        FIXED = 2;
        int twice = 1;
        int twice = 2;
        int unset;
        System.out.println(unset);
        return 5;
    }

    static void fromStatic() { calls(); }

    void checked() { throw new Exception("x"); }

    void unreachable() {
        while (true) { }
        System.out.println();
    }

    void types() {
        int small = 3.5;
        byte b = 300;
        boolean flag = 1;
        if (small = 3) { }
        Object o = "x";
        String s = o;
        for (String each : 5) { }
        Function<String, Integer> f = (a, b) -> 1;
        Runnable r = () -> 5;
        List<String> strings = List.of(1, 2);
        var nothing = null;
        new Shape();
        char c = "c";
        switch (small) { case 1 -> { } case 1 -> { } }
        int y = switch (small) { case 1 -> 2; };
        break;
        String t = null + 1 - "x";
        Math.max("a", 1);
        strings.foo();
        super.run();
        try { } catch (java.io.IOException e) { }
        int captured = 0;
        captured++;
        Runnable later = () -> System.out.println(captured);
    }

    class Square implements Shape { }

    record Point(int x) { int y; }

    sealed interface Closed permits Square { }
}
