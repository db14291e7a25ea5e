// @benign charsets.java
// @what UTF-8 is the default for text, file names and standard streams; other encodings are there; malformed input is replaced or reported
// @limits cpu=10 wall=20 mem=512
// @stdin @hex:c5be20ff20f09d849e0a
// @expect exit=0
// @expect out=UTF-8 UTF-8 UTF-8\nž � 𝄞 2\nUTF-8 c5bee697a5\nUTF-16LE 7e01e565\nISO-8859-1 3f3f\nISO-8859-2 be3f\nwindows-1250 9e3f\nShift_JIS 3f93fa\nŽž 日本\nEBCDIC c1f1\nmalformed, length 1\nunsupported no-such\n☃
import java.io.*;
import java.nio.*;
import java.nio.charset.*;
import java.util.*;

public class Charsets {
    static String hex(byte[] b) { return HexFormat.of().formatHex(b); }

    public static void main(String[] args) throws Exception {
        System.out.println(Charset.defaultCharset() + " " + System.getProperty("file.encoding") + " "
            + System.getProperty("sun.jnu.encoding"));
        String line = new BufferedReader(new InputStreamReader(System.in)).readLine();
        System.out.println(line + " " + line.indexOf('\uFFFD'));
        for (String name : List.of("UTF-8", "UTF-16LE", "ISO-8859-1", "ISO-8859-2", "windows-1250", "Shift_JIS"))
            System.out.println(name + " " + hex("ž日".getBytes(name)));
        System.out.println(new String(new byte[] {(byte) 0x8e, (byte) 0x9e}, "windows-1250") + " "
            + new String(HexFormat.of().parseHex("93fa967b"), "Shift_JIS"));
        System.out.println("EBCDIC " + hex("A1".getBytes("IBM037")));
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(new byte[] {65, (byte) 0xc3, 40}));
        } catch (MalformedInputException e) {
            System.out.println("malformed, length " + e.getInputLength());
        }
        try {
            Charset.forName("no-such");
        } catch (UnsupportedCharsetException e) {
            System.out.println("unsupported " + e.getCharsetName());
        }
        System.out.write(new byte[] {(byte) 0xe2, (byte) 0x98, (byte) 0x83, 10});
        System.out.flush();
    }
}
