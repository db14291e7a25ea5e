// @hostile unsafe_memory.java
// @group mem
// @tries memory from below the heap by Unsafe and by direct buffers, written to, never given back: the size of the heap does not hold it
// @limits cpu=6 wall=15 mem=512 procs=128 out=1 disk=64 ccwall=20
// @expect MLE,RTE   (never an internal error)
// @severity hard
// @layer cgroup_memory
// @invariants up noproc nowrite noleft return<=18s
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.util.ArrayList;
public class Main {
    public static void main(String[] a) throws Exception {
        Field f = sun.misc.Unsafe.class.getDeclaredField("theUnsafe");
        f.setAccessible(true);
        sun.misc.Unsafe unsafe = (sun.misc.Unsafe) f.get(null);
        ArrayList<ByteBuffer> kept = new ArrayList<>();
        for (;;) {
            try { kept.add(ByteBuffer.allocateDirect(1 << 20)); } catch (OutOfMemoryError tooMany) { }
            unsafe.setMemory(unsafe.allocateMemory(1 << 22), 1 << 22, (byte) 1);
        }
    }
}
