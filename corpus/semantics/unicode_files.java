// @benign unicode_files.java
// @what file names and arguments outside ASCII: with a locale that is not UTF-8 the JVM turns them into question marks or throws InvalidPathException
// @limits cpu=10 wall=20 mem=512
// @args žluť|日本|𝄞|a b|
// @expect exit=0
// @expect out=a b.txt, žluť.txt, 日本.txt, 𝄞.txt\n日本 4 5\n[a b.txt, žluť.txt, 日本.txt, 𝄞.txt]\ntrue
import java.nio.file.*;
import java.util.*;
import java.util.stream.*;

public class UnicodeFiles {
    public static void main(String[] args) throws Exception {
        Path folder = Files.createDirectory(Path.of("složka"));
        for (String a : args) if (!a.isEmpty()) Files.writeString(folder.resolve(a + ".txt"), a);
        try (Stream<Path> s = Files.list(folder)) {
            System.out.println(s.map(p -> p.getFileName().toString()).sorted().collect(Collectors.joining(", ")));
        }
        System.out.println(Files.readString(Path.of("složka/日本.txt")) + " " + Files.size(folder.resolve("𝄞.txt")) + " "
            + args.length);
        Process ls = new ProcessBuilder("ls", "složka").start();
        System.out.println(new TreeSet<>(List.of(new String(ls.getInputStream().readAllBytes()).trim().split("\n"))));
        System.out.println(new java.io.File("složka", "žluť.txt").exists());
    }
}
