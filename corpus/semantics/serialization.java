// @benign serialization.java
// @what object streams with cycles, transient fields and records, gzip and zip in memory, CRC, properties and data streams
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=ab cycle true transient -1 Point[x=1, y=2]\njava.lang.Object\none.txt 7000 smaller true, žluť/two.txt 14000 smaller true, one.txt\ncbf43926 000001020002c5be3ff0000000000000
import java.io.*;
import java.util.*;
import java.util.zip.*;

public class Serialization {
    record Point(int x, int y) implements Serializable {}
    static class Node implements Serializable {
        String name; Node next; transient int cached = 5; Point at = new Point(1, 2);
        Node(String n) { name = n; }
        private void readObject(ObjectInputStream in) throws IOException, ClassNotFoundException {
            in.defaultReadObject();
            cached = -1;
        }
    }

    public static void main(String[] args) throws Exception {
        Node a = new Node("a"), b = new Node("b");
        a.next = b;
        b.next = a;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream o = new ObjectOutputStream(new GZIPOutputStream(bytes))) { o.writeObject(a); }
        Node c = (Node) new ObjectInputStream(new GZIPInputStream(new ByteArrayInputStream(bytes.toByteArray())))
            .readObject();
        System.out.println(c.name + c.next.name + " cycle " + (c.next.next == c) + " transient " + c.cached + " "
            + c.at);
        try {
            new ObjectOutputStream(new ByteArrayOutputStream()).writeObject(new Object());
        } catch (NotSerializableException e) {
            System.out.println(e.getMessage());
        }
        try (ZipOutputStream z = new ZipOutputStream(new FileOutputStream("out.zip"))) {
            for (String n : List.of("one.txt", "žluť/two.txt")) {
                z.putNextEntry(new ZipEntry(n));
                z.write(n.repeat(1000).getBytes());
                z.closeEntry();
            }
        }
        try (ZipFile z = new ZipFile("out.zip")) {
            z.stream().forEach(e -> System.out.print(e.getName() + " " + e.getSize() + " smaller "
                + (e.getCompressedSize() < 200) + ", "));
            System.out.println(new String(z.getInputStream(z.getEntry("one.txt")).readNBytes(7)));
        }
        CRC32 crc = new CRC32();
        crc.update("123456789".getBytes());
        ByteArrayOutputStream raw = new ByteArrayOutputStream();
        DataOutputStream d = new DataOutputStream(raw);
        d.writeInt(258);
        d.writeUTF("ž");
        d.writeDouble(1.0);
        System.out.println(Long.toHexString(crc.getValue()) + " " + HexFormat.of().formatHex(raw.toByteArray()));
    }
}
