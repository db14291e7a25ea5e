// @hostile generated_classes.java
// @group mem
// @tries makes classes at run time without end, which live outside the heap with the code that is compiled for them
// @limits cpu=3 wall=5 mem=256 procs=128 out=1 disk=64 ccwall=20
// @expect MLE,RTE,TLE   (never an internal error)
// @severity hard
// @layer cgroup_memory
// @invariants up noproc nowrite noleft return<=13s
import java.lang.reflect.*;
import java.util.ArrayList;
public class Main {
    public interface Work { int run(int n); }
    public static void main(String[] a) {
        ArrayList<Object> kept = new ArrayList<>();
        for (;;) {
            ClassLoader each = new ClassLoader(Main.class.getClassLoader()) { };
            for (int i = 0; i < 16; i++) {
                Work w = (Work) Proxy.newProxyInstance(each, new Class<?>[] {Work.class}, (p, m, args) -> (Integer) args[0] + 1);
                for (int n = 0; n < 50; n++) w.run(n);
                kept.add(w);
            }
        }
    }
}
