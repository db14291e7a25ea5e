// @benign input_10mb.java
// @what 10 MB in one line through BufferedReader, counted by streams; after the end null, and System.in stays at its end
// @limits cpu=10 wall=20 mem=512
// @stdin @10MB-digits
// @expect exit=0
// @expect out=10485760 characters, 1048576 of each of 10\nnull -1 0
import java.io.*;
import java.util.*;

public class Input10mb {
    public static void main(String[] args) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        String line = in.readLine();
        int[] count = new int[128];
        line.chars().forEach(c -> count[c]++);
        System.out.println(line.length() + " characters, " + count['0'] + " of each of "
            + Arrays.stream(count).filter(c -> c == count['0']).count());
        System.out.println(in.readLine() + " " + System.in.read() + " " + System.in.available());
    }
}
