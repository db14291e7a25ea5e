// @benign mapped_files.java
// @what FileChannel: memory-mapped writing and reading, transferTo, scatter and gather, holes, truncation, byte order
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=8388608 LITTLE_ENDIAN copied 8388608\n513 72620543991349248 true\ngat|hered 31457283 at 8\ng 8\ngathered 0
import java.io.IOException;
import java.nio.*;
import java.nio.channels.FileChannel;
import java.nio.file.*;
import static java.nio.file.StandardOpenOption.*;

public class MappedFiles {
    public static void main(String[] args) throws IOException {
        Path p = Path.of("mapped"), q = Path.of("copy");
        try (FileChannel c = FileChannel.open(p, CREATE, READ, WRITE); FileChannel d = FileChannel.open(q, CREATE,
            READ, WRITE)) {
            MappedByteBuffer m = c.map(FileChannel.MapMode.READ_WRITE, 0, 8 << 20);
            m.order(ByteOrder.LITTLE_ENDIAN);
            LongBuffer longs = m.asLongBuffer();
            for (int i = 0; i < longs.limit(); i++) longs.put(i, i);
            m.force();
            System.out.println(c.size() + " " + ByteOrder.nativeOrder() + " copied " + c.transferTo(0, c.size(), d));
            MappedByteBuffer r = d.map(FileChannel.MapMode.READ_ONLY, 4096, 8192);
            System.out.println(r.order(ByteOrder.LITTLE_ENDIAN).getLong(8) + " "
                + r.order(ByteOrder.BIG_ENDIAN).getLong(8) + " " + r.isReadOnly());
            ByteBuffer[] two = {ByteBuffer.wrap("gath".getBytes()), ByteBuffer.wrap("ered".getBytes())};
            d.truncate(0);
            d.position(0);
            d.write(two);
            d.write(ByteBuffer.wrap("end".getBytes()), 30 << 20);
            ByteBuffer[] in = {ByteBuffer.allocate(3), ByteBuffer.allocate(5)};
            d.position(0);
            d.read(in);
            System.out.println(new String(in[0].array()) + "|" + new String(in[1].array()) + " " + d.size() + " at "
                + d.position());
            d.map(FileChannel.MapMode.PRIVATE, 0, 16).put(0, (byte) 'X');  // stays in memory
            System.out.println((char) d.map(FileChannel.MapMode.READ_ONLY, 0, 16).get(0) + " " + d.truncate(8).size());
        }
        System.out.println(Files.readString(q) + " " + Files.mismatch(p, q));
    }
}
