// @benign file_tree.java
// @what java.nio.file: walk, copy, atomic move, links, permissions, times, attributes, RandomAccessFile, locks, errors by type
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=tree tree/a tree/a/b tree/a/b/two tree/a/one tree/hard tree/soft\na/one true links 2\n2001-02-03T04:05:06Z 6 true true\nlocked 1 X 1000 true\nexists missing not empty\nfalse true
import java.io.*;
import java.nio.channels.*;
import java.nio.file.*;
import java.nio.file.attribute.*;
import java.time.Instant;
import java.util.stream.*;

public class FileTree {
    public static void main(String[] args) throws IOException {
        Path root = Path.of("tree");
        Files.createDirectories(root.resolve("a/b"));
        Files.writeString(root.resolve("a/one"), "1\n2\n3\n");
        Files.copy(root.resolve("a/one"), root.resolve("a/b/two"));
        Files.createSymbolicLink(root.resolve("soft"), Path.of("a/one"));
        Files.createLink(root.resolve("hard"), root.resolve("a/one"));
        try (Stream<Path> s = Files.walk(root)) {
            System.out.println(s.map(Path::toString).sorted().collect(Collectors.joining(" ")));
        }
        System.out.println(Files.readSymbolicLink(root.resolve("soft")) + " " + Files.isSameFile(root.resolve("soft"),
            root.resolve("hard")) + " links " + Files.getAttribute(root.resolve("hard"), "unix:nlink"));
        Files.setLastModifiedTime(root.resolve("hard"), FileTime.from(Instant.parse("2001-02-03T04:05:06Z")));
        Files.setPosixFilePermissions(root.resolve("hard"), PosixFilePermissions.fromString("r--r-----"));
        BasicFileAttributes at = Files.readAttributes(root.resolve("a/one"), BasicFileAttributes.class);
        System.out.println(at.lastModifiedTime() + " " + at.size() + " " + at.isRegularFile() + " "
            + (Files.getFileStore(root).getUsableSpace() > 0));
        Files.move(root.resolve("a/b/two"), root.resolve("moved"), StandardCopyOption.ATOMIC_MOVE);
        try (RandomAccessFile f = new RandomAccessFile(root.resolve("moved").toFile(), "rw")) {
            f.seek(2);
            f.writeByte('X');
            f.setLength(1000);
            FileLock lock = f.getChannel().lock();
            try { f.getChannel().tryLock(); } catch (OverlappingFileLockException e) { System.out.print("locked "); }
            f.seek(0);
            System.out.println(f.readLine() + " " + f.readLine() + " " + f.length() + " " + lock.isValid());
        }
        try {
            Files.createFile(root.resolve("moved"));
        } catch (FileAlreadyExistsException e) {
            System.out.print("exists ");
        }
        try { Files.readString(root.resolve("none")); } catch (NoSuchFileException e) { System.out.print("missing "); }
        try { Files.delete(root); } catch (DirectoryNotEmptyException e) { System.out.println("not empty"); }
        try (Stream<Path> s = Files.walk(root)) {
            s.sorted(java.util.Comparator.reverseOrder()).forEach(p -> p.toFile().delete());
        }
        System.out.println(Files.exists(root) + " " + new File(".").getAbsoluteFile().isDirectory());
    }
}
