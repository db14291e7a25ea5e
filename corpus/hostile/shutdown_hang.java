// @hostile shutdown_hang.java
// @group time
// @tries System.exit(0) with hooks that never end, handlers for each signal, and threads that refuse to be interrupted
// @limits cpu=2 wall=4 mem=512 procs=128 out=1 disk=64 ccwall=20
// @expect TLE   (never an internal error)
// @check stdout~^leaving$
// @severity hard
// @layer meter
// @invariants up noproc nowrite noleft return<=12s
import sun.misc.Signal;
public class Main {
    static void never() { for (;;) try { Thread.sleep(1_000_000); } catch (InterruptedException again) { } }
    public static void main(String[] a) {
        for (String name : "HUP INT TERM USR2 ALRM XCPU PIPE CONT TSTP".split(" "))
            try { Signal.handle(new Signal(name), s -> { }); } catch (IllegalArgumentException reserved) { }
        Thread.setDefaultUncaughtExceptionHandler((t, e) -> never());
        Runtime.getRuntime().addShutdownHook(new Thread(Main::never));
        System.out.println("leaving");
        System.exit(0);
    }
}
