// @benign stack_overflow.java
// @what endless recursion is a StackOverflowError that can be caught, on the main thread and on one with a small stack, not the end by a memory limit
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=small stack: caught, deep enough true\nmain: caught, deep enough true\nstill alive
public class StackOverflow {
    static int depth;

    static void deeper() { depth++; deeper(); }

    static void attempt(String where) {
        depth = 0;
        try {
            deeper();
        } catch (StackOverflowError e) {
            System.out.println(where + ": caught, deep enough " + (depth > 1000));
        }
    }

    public static void main(String[] args) throws Exception {
        Thread t = new Thread(null, () -> attempt("small stack"), "small", 256 << 10);
        t.start();
        t.join();
        attempt("main");
        System.out.println("still alive");
    }
}
