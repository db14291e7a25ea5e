// @benign timers.java
// @what Timer, ScheduledExecutorService, delayed futures and parkNanos keep order and time; daemon threads don't hold the program
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=[soon, late] ticks 3 in time true\ntrue\ntrue\nTimeoutException
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.concurrent.locks.LockSupport;

public class Timers {
    public static void main(String[] args) throws Exception {
        List<String> order = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch done = new CountDownLatch(5);
        long start = System.nanoTime();
        ScheduledExecutorService s = Executors.newScheduledThreadPool(1);
        s.schedule(() -> { order.add("late"); done.countDown(); }, 150, TimeUnit.MILLISECONDS);
        s.schedule(() -> { order.add("soon"); done.countDown(); }, 10, TimeUnit.MILLISECONDS);
        AtomicInteger ticks = new AtomicInteger();
        Timer timer = new Timer("ticker", true);
        timer.schedule(new TimerTask() {
            public void run() { if (ticks.incrementAndGet() == 3) cancel(); done.countDown(); }
        }, 5, 5);
        done.await();
        System.out.println(order + " ticks " + ticks + " in time " + (System.nanoTime() - start >= 150_000_000));
        s.shutdown();
        System.out.println(s.awaitTermination(5, TimeUnit.SECONDS));
        long before = System.nanoTime();
        LockSupport.parkNanos(20_000_000);
        Thread.sleep(20);
        System.out.println(System.nanoTime() - before >= 20_000_000);
        try {
            new CompletableFuture<String>().orTimeout(20, TimeUnit.MILLISECONDS).join();
        } catch (CompletionException e) {
            System.out.println(e.getCause().getClass().getSimpleName());
        }
        Thread forever = new Thread(() -> { while (true) LockSupport.park(); });
        forever.setDaemon(true);
        forever.start();
    }
}
