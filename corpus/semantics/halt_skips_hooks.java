// @benign halt_skips_hooks.java
// @what Runtime.halt ends at once, without hooks, deleteOnExit or other threads; println was written before
// @limits cpu=10 wall=20 mem=512
// @expect exit=3
// @expect out=before
public class HaltSkipsHooks {
    public static void main(String[] args) {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
        new Thread(() -> { while (true) Thread.onSpinWait(); }).start();
        System.out.println("before");
        Runtime.getRuntime().halt(3);
    }
}
