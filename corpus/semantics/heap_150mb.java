// @benign heap_150mb.java
// @what 150 MB live on the heap in arrays and objects, a gigabyte of garbage beside it, 64 MB outside the heap in direct buffers
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=blocks 2130706432, boxed 2999997, garbage 1000 MB\ndirect 2016\n128 blocks live, used at least 128 MB true
import java.nio.ByteBuffer;
import java.util.*;

public class Heap150mb {
    public static void main(String[] args) {
        int[][] blocks = new int[128][];
        for (int i = 0; i < blocks.length; i++) { blocks[i] = new int[1 << 18]; Arrays.fill(blocks[i], i); }
        List<Integer> boxed = new ArrayList<>();
        for (int i = 0; i < 1_000_000; i++) boxed.add(i * 3);
        long garbage = 0;
        for (int i = 0; i < 1000; i++) garbage += new byte[1 << 20].length;
        long sum = 0;
        for (int[] b : blocks) for (int x : b) sum += x;
        System.out.println("blocks " + sum + ", boxed " + boxed.get(999_999) + ", garbage " + (garbage >> 20) + " MB");
        List<ByteBuffer> direct = new ArrayList<>();
        for (int i = 0; i < 64; i++) {
            ByteBuffer b = ByteBuffer.allocateDirect(1 << 20);
            b.putLong(8, i);
            direct.add(b);
        }
        System.out.println("direct " + direct.stream().mapToLong(b -> b.getLong(8)).sum());
        Runtime r = Runtime.getRuntime();
        System.out.println(blocks.length + " blocks live, used at least 128 MB "
            + (r.totalMemory() - r.freeMemory() > 128 << 20));
    }
}
