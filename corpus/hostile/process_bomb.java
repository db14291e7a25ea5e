// @hostile process_bomb.java
// @group proc
// @tries starts virtual machines that start virtual machines, and shells beside them, without waiting for any
// @limits cpu=2 wall=5 mem=512 procs=128 out=1 disk=64 ccwall=20
// @expect TLE,RTE,MLE,OK   (never an internal error)
// @severity hard
// @layer cgroup_pids, cgroup_memory
// @invariants up noproc nowrite noleft return<=13s
public class Main {
    public static void main(String[] a) {
        for (;;) {
            try {
                new ProcessBuilder(System.getProperty("java.home") + "/bin/java", "-Xmx16m", "Main").inheritIO().start();
                new ProcessBuilder("/bin/sh", "-c", "(sleep 1000 &) & (sleep 1000 &)").start();
            } catch (Throwable refused) { Thread.onSpinWait(); }
        }
    }
}
