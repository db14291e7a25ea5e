// @benign heap_exhausted.java
// @what OutOfMemoryError is an error that can be caught; what was freed can be used again; then, not caught, it ends the program with exit code 1
// @limits cpu=10 wall=20 mem=512
// @expect exit=1
// @expect out=caught after some blocks true\nused again 100
// @expect stderr=java.lang.OutOfMemoryError: Java heap space
import java.util.*;

public class HeapExhausted {
    static void fill() {
        List<byte[]> all = new ArrayList<>();
        try {
            while (true) all.add(new byte[4 << 20]);
        } catch (OutOfMemoryError e) {
            int n = all.size();
            all.clear();
            System.out.println("caught after some blocks " + (n > 10));
        }
    }

    public static void main(String[] args) {
        fill();
        List<byte[]> again = new ArrayList<>();
        for (int i = 0; i < 100; i++) { again.clear(); again.add(new byte[1 << 20]); }
        System.out.println("used again 100");
        List<long[]> forever = new ArrayList<>();
        while (true) forever.add(new long[1 << 19]);
    }
}
