// @hostile virtual_threads.java
// @group mem
// @tries threads that the kernel does not see, millions of them, each with a deep stack: no limit of processes holds them, memory must
// @limits cpu=3 wall=5 mem=256 procs=128 out=1 disk=64 ccwall=20
// @expect MLE,RTE,TLE   (never an internal error)
// @severity hard
// @layer cgroup_memory
// @invariants up noproc nowrite noleft return<=13s
import java.lang.reflect.Method;
public class Main {
    static int deep(int n) { if (n > 0) return deep(n - 1) + 1; try { Thread.sleep(1_000_000); } catch (InterruptedException e) { } return 0; }
    public static void main(String[] a) throws Exception {
        Method start = null;
        try { start = Thread.class.getMethod("startVirtualThread", Runnable.class); } catch (NoSuchMethodException older) { }
        for (;;) {
            Runnable work = () -> deep(500);
            if (start != null) start.invoke(null, work); else new Thread(work).start();
        }
    }
}
