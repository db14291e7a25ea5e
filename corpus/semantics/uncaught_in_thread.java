// @benign uncaught_in_thread.java
// @what an exception in another thread prints a trace with that thread's name and ends only that thread; main goes on and exits 0
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=main goes on\nhandler: two, from second
// @expect stderr=Exception in thread "worker-1" java.lang.ArithmeticException: / by zero
public class UncaughtInThread {
    public static void main(String[] args) throws Exception {
        Thread first = new Thread(() -> System.out.println(1 / Integer.parseInt("0")), "worker-1");
        first.start();
        first.join();
        System.out.println("main goes on");
        Thread.setDefaultUncaughtExceptionHandler((t, e) -> System.out.println("handler: " + e.getMessage() + ", from "
            + t.getName()));
        Thread second = new Thread(() -> { throw new RuntimeException("two"); }, "second");
        second.start();
        second.join();
    }
}
