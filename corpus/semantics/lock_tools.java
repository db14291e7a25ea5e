// @benign lock_tools.java
// @what ReentrantLock with conditions, Semaphore, CyclicBarrier, Phaser, Exchanger, atomics, ConcurrentHashMap, wait and notify, ThreadLocal
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=80000 80000 8000 0\ngot 7\nat most two true, barriers 2\nswapped a b
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.concurrent.locks.*;

public class LockTools {
    static int shared;

    static void together(int n, Runnable r) throws InterruptedException {
        List<Thread> all = new ArrayList<>();
        for (int i = 0; i < n; i++) all.add(new Thread(r));
        for (Thread t : all) t.start();
        for (Thread t : all) t.join();
    }

    public static void main(String[] args) throws Exception {
        ReentrantLock lock = new ReentrantLock();
        LongAdder adder = new LongAdder();
        ConcurrentHashMap<Integer, Integer> map = new ConcurrentHashMap<>();
        ThreadLocal<Integer> own = ThreadLocal.withInitial(() -> 0);
        together(16, () -> {
            for (int i = 0; i < 5000; i++) {
                lock.lock();
                try { shared++; } finally { lock.unlock(); }
                adder.increment();
                map.merge(i % 10, 1, Integer::sum);
                own.set(own.get() + 1);
            }
        });
        System.out.println(shared + " " + adder + " " + map.get(3) + " " + own.get());
        Condition full = lock.newCondition();
        Deque<Integer> box = new ArrayDeque<>();
        Thread consumer = new Thread(() -> {
            lock.lock();
            try {
                while (box.isEmpty()) full.awaitUninterruptibly();
                System.out.println("got " + box.poll());
            } finally { lock.unlock(); }
        });
        consumer.start();
        lock.lock();
        box.add(7);
        full.signal();
        lock.unlock();
        consumer.join();
        AtomicInteger inside = new AtomicInteger(), most = new AtomicInteger(), barriers = new AtomicInteger();
        Semaphore two = new Semaphore(2);
        CyclicBarrier barrier = new CyclicBarrier(8, barriers::incrementAndGet);
        together(8, () -> {
            try {
                two.acquire();
                most.accumulateAndGet(inside.incrementAndGet(), Math::max);
                Thread.sleep(2);
                inside.decrementAndGet();
                two.release();
                barrier.await();
                barrier.await();
            } catch (Exception e) { throw new RuntimeException(e); }
        });
        System.out.println("at most two " + (most.get() <= 2) + ", barriers " + barriers);
        Exchanger<String> x = new Exchanger<>();
        Thread other = new Thread(() -> {
            try { System.out.print("swapped " + x.exchange("b") + " "); } catch (InterruptedException e) { }
        });
        other.start();
        String mine = x.exchange("a");
        other.join();
        System.out.println(mine);
    }
}
