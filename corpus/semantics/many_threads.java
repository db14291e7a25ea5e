// @benign many_threads.java
// @what 150 threads alive at once beside the JVM's own, each with some stack in use, below the limit of 256
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=150 threads met, depth 150000
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;

public class ManyThreads {
    static int down(int n) { return n == 0 ? 0 : 1 + down(n - 1); }

    public static void main(String[] args) throws Exception {
        CyclicBarrier all = new CyclicBarrier(150);
        AtomicInteger met = new AtomicInteger(), depth = new AtomicInteger();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 150; i++) {
            Thread t = new Thread(() -> {
                depth.addAndGet(down(1000));
                try { all.await(); met.incrementAndGet(); } catch (Exception e) { System.out.println(e); }
            });
            threads.add(t);
            t.start();
        }
        for (Thread t : threads) t.join();
        System.out.println(met + " threads met, depth " + depth);
    }
}
