// @benign temp_files.java
// @what temporary files and folders in /tmp with private modes, deleteOnExit, DELETE_ON_CLOSE, a move from /tmp to the work folder across mounts
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=/tmp true false\nrw------- rwx------\nmoved text, gone true\nclosed and gone true\nnot empty, deleted true
import java.io.*;
import java.nio.file.*;
import java.nio.file.attribute.*;

public class TempFiles {
    public static void main(String[] args) throws IOException {
        Path f = Files.createTempFile("suite", ".txt"), d = Files.createTempDirectory("suite");
        System.out.println(System.getProperty("java.io.tmpdir") + " " + f.startsWith("/tmp") + " "
            + f.equals(Files.createTempFile("suite", ".txt")));
        System.out.println(PosixFilePermissions.toString(Files.getPosixFilePermissions(f)) + " "
            + PosixFilePermissions.toString(Files.getPosixFilePermissions(d)));
        Files.writeString(f, "moved text");
        Path here = Files.move(f, Path.of("here.txt"));
        System.out.println(Files.readString(here) + ", gone " + Files.notExists(f));
        Path once = d.resolve("once");
        try (OutputStream o = Files.newOutputStream(once, StandardOpenOption.CREATE_NEW,
            StandardOpenOption.DELETE_ON_CLOSE)) { o.write(1); }
        System.out.println("closed and gone " + Files.notExists(once));
        File old = File.createTempFile("old", null, d.toFile());
        old.deleteOnExit();
        try {
            Files.delete(d);
        } catch (DirectoryNotEmptyException e) {
            System.out.println("not empty, deleted " + (old.delete() && d.toFile().delete()));
        }
    }
}
