// @benign stack_walking.java
// @what line numbers and methods from exceptions, StackWalker and other threads' stacks; suppressed and rethrown exceptions; finally wins
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=middle:14 < main:26\nStackWalking.main(StackWalking.java:28) main\nclose b close a body[b, a]\nWAITING run main\nTERMINATED 7
import java.util.*;
import java.util.stream.*;

public class StackWalking {
    static String where() {
        return StackWalker.getInstance().walk(s -> s.skip(1).map(f -> f.getMethodName() + ":"
            + f.getLineNumber()).collect(Collectors.joining(" < ")));
    }
    static String middle() { return where(); }

    @SuppressWarnings("finally")
    static int finallyWins() { try { throw new RuntimeException("lost"); } finally { return 7; } }

    static class Closing implements AutoCloseable {
        final String name;
        Closing(String name) { this.name = name; }
        public void close() throws Exception { System.out.print("close " + name + " "); throw new Exception(name); }
    }

    public static void main(String[] args) throws Exception {
        System.out.println(middle());
        try {
            List.of(1, 2).get(5);
        } catch (IndexOutOfBoundsException e) {
            StackTraceElement mine = Arrays.stream(e.getStackTrace()).filter(f -> f.getClassName()
                .equals("StackWalking")).findFirst().get();
            System.out.println(mine + " " + e.getStackTrace()[e.getStackTrace().length - 1].getMethodName());
        }
        try (Closing a = new Closing("a"); Closing b = new Closing("b")) {
            throw new Exception("body");
        } catch (Exception e) {
            System.out.println(e.getMessage() + Arrays.stream(e.getSuppressed()).map(Throwable::getMessage).toList());
        }
        Thread t = new Thread(() -> {
            synchronized (args) { try { args.wait(); } catch (InterruptedException e) { } }
        }, "waiter");
        t.start();
        while (t.getState() != Thread.State.WAITING) Thread.sleep(1);
        System.out.println(t.getState() + " "
            + Thread.getAllStackTraces().get(t)[Thread.getAllStackTraces().get(t).length - 1].getMethodName() + " "
            + Thread.currentThread().getName());
        t.interrupt();
        t.join();
        System.out.println(t.getState() + " " + finallyWins());
    }
}
