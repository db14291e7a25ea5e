// @benign interrupts.java
// @what interrupting sleep, wait, join, a queue and a blocked channel; the flag is cleared or kept as documented; a thread that ignores it goes on
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=sleep: InterruptedException, flag false\nwait: InterruptedException, flag false\njoin: InterruptedException, flag false\nqueue: InterruptedException, flag false\nchannel: ClosedByInterruptException, flag true\ndeaf: nothing\ntrue false\ntrue true 0 true
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.util.concurrent.*;

public class Interrupts {
    interface Blocking { void run() throws Exception; }

    static void cut(String what, Blocking body) throws Exception {
        CountDownLatch ready = new CountDownLatch(1);
        Thread t = new Thread(() -> {
            ready.countDown();
            try {
                body.run();
                System.out.println(what + ": nothing");
            } catch (Exception e) {
                System.out.println(what + ": " + e.getClass().getSimpleName() + ", flag "
                    + Thread.currentThread().isInterrupted());
            }
        });
        t.start();
        ready.await();
        t.interrupt();
        t.join();
    }

    public static void main(String[] args) throws Exception {
        Object o = new Object();
        cut("sleep", () -> Thread.sleep(60000));
        cut("wait", () -> { synchronized (o) { o.wait(); } });
        Thread main = Thread.currentThread();
        cut("join", () -> main.join());
        cut("queue", () -> new LinkedBlockingQueue<String>().take());
        Pipe pipe = Pipe.open();
        cut("channel", () -> pipe.source().read(ByteBuffer.allocate(1)));
        cut("deaf", () -> { long x = 0; for (int i = 0; i < 1000000; i++) x += i; });
        Thread.currentThread().interrupt();
        System.out.println(Thread.interrupted() + " " + Thread.interrupted());
        ExecutorService e = Executors.newSingleThreadExecutor();
        Future<?> f = e.submit(() -> { Thread.sleep(60000); return null; });
        System.out.println(f.cancel(true) + " " + f.isCancelled() + " " + e.shutdownNow().size() + " "
            + e.awaitTermination(5, TimeUnit.SECONDS));
    }
}
