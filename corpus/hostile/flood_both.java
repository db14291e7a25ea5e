// @hostile flood_both.java
// @group out
// @tries eight threads flood both streams, through the descriptors and through their names in /dev and /proc, opened again
// @limits cpu=3 wall=6 mem=512 procs=128 out=1 disk=64 ccwall=20
// @expect OLE,TLE,RTE,OK   (never an internal error)
// @severity hard
// @layer output_cap
// @invariants up noproc nowrite noleft return<=14s body<=out+64K
import java.io.*;
public class Main {
    public static void main(String[] a) {
        byte[] block = new byte[1 << 16];
        java.util.Arrays.fill(block, (byte) 'f');
        String[] names = {"/dev/stdout", "/dev/stderr", "/proc/self/fd/1", "/proc/self/fd/2"};
        for (int i = 0; i < 8; i++) {
            int n = i;
            new Thread(() -> {
                try (OutputStream out = n < 4 ? new FileOutputStream(names[n]) : new FileOutputStream(n % 2 == 0 ? FileDescriptor.out : FileDescriptor.err)) {
                    for (;;) out.write(block);
                } catch (IOException closed) { }
            }).start();
        }
    }
}
