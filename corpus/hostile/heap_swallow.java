// @hostile heap_swallow.java
// @group mem
// @tries catches each OutOfMemoryError and goes on with a heap that is full: collection without end in several threads
// @limits cpu=3 wall=5 mem=256 procs=128 out=1 disk=64 ccwall=20
// @expect TLE,MLE,RTE   (never an internal error)
// @severity hard
// @layer meter, cgroup_memory
// @invariants up noproc nowrite noleft return<=13s
import java.util.ArrayList;
public class Main {
    static void fill() {
        ArrayList<Object> kept = new ArrayList<>();
        for (int size = 1 << 22; ; ) {
            try { kept.add(new byte[size]); }
            catch (OutOfMemoryError full) { if (size > 16) size /= 2; else kept.remove(kept.size() - 1); }
        }
    }
    public static void main(String[] a) { for (int i = 0; i < 4; i++) new Thread(Main::fill).start(); }
}
