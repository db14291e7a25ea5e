// @benign child_processes.java
// @what ProcessBuilder: input and output by pipes, environment, folder, redirection, exit values, a pipeline, destroy, a program that does not exist
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=through cat 1000000, exit 0\nplum,inside,trouble exit 3\n1 a 2 b\n[1, 2]\nalive true, its parent true, ends in time false\ndestroyed, exit 143\nmissing program: true
import java.io.*;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.TimeUnit;

public class ChildProcesses {
    static String read(Process p) throws IOException { return new String(p.getInputStream().readAllBytes()).trim(); }

    public static void main(String[] args) throws Exception {
        Process cat = new ProcessBuilder("cat").start();
        Thread feeder = new Thread(() -> {
            try (OutputStream o = cat.getOutputStream()) {
                o.write(new byte[1_000_000]);
            } catch (IOException e) {
                System.out.println(e);
            }
        });
        feeder.start();
        System.out.println("through cat " + cat.getInputStream().readAllBytes().length + ", exit " + cat.waitFor());
        ProcessBuilder sh = new ProcessBuilder("sh", "-c",
            "echo $FRUIT; pwd | sed 's,.*/,,'; echo trouble >&2; exit 3").redirectErrorStream(true);
        Files.createDirectory(Path.of("inside"));
        sh.environment().put("FRUIT", "plum");
        sh.directory(new File("inside"));
        Process p = sh.start();
        System.out.println(read(p).replace("\n", ",") + " exit " + p.waitFor());
        List<Process> line = ProcessBuilder.startPipeline(List.of(new ProcessBuilder("printf", "b\\na\\nb\\n"),
            new ProcessBuilder("sort"), new ProcessBuilder("uniq", "-c")));
        System.out.println(read(line.get(2)).replaceAll("\\s+", " "));
        new ProcessBuilder("sort").redirectInput(Files.writeString(Path.of("in"),
            "2\n1\n").toFile()).redirectOutput(new File("out")).start().waitFor();
        System.out.println(Files.readAllLines(Path.of("out")));
        Process sleeper = Runtime.getRuntime().exec(new String[] {"sleep", "60"});
        System.out.println("alive " + sleeper.isAlive() + ", its parent "
            + sleeper.toHandle().parent().equals(Optional.of(ProcessHandle.current())) + ", ends in time "
            + sleeper.waitFor(20, TimeUnit.MILLISECONDS));
        sleeper.destroy();
        System.out.println("destroyed, exit " + sleeper.waitFor());
        try {
            new ProcessBuilder("no-such-program").start();
        } catch (IOException e) {
            System.out.println("missing program: " + e.getMessage().contains("No such file or directory"));
        }
    }
}
