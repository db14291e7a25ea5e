// @benign who_am_i.java
// @what the JVM's view of the sandbox: user, home and folder from the sandbox's own tables, so the names hold only there; memory and processors within the limits
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=sandbox /home/sandbox /box\nowner sandbox, home writable true\nLinux 64 true\nheap sane true, below the limit true, processors true\nhost sandbox, PATH true, LANG C.UTF-8\nseparators / : true, pid true
import java.net.InetAddress;
import java.nio.file.*;

public class WhoAmI {
    static String p(String name) { return System.getProperty(name); }

    public static void main(String[] args) throws Exception {
        System.out.println(p("user.name") + " " + p("user.home") + " " + p("user.dir"));
        Path probe = Files.writeString(Path.of(p("user.home"), ".probe"), "x");
        System.out.println("owner " + Files.getOwner(probe) + ", home writable " + Files.isWritable(probe));
        System.out.println(p("os.name") + " " + p("sun.arch.data.model") + " " + (Runtime.version().feature() >= 17));
        long max = Runtime.getRuntime().maxMemory();
        System.out.println("heap sane " + (max > 128L << 20) + ", below the limit " + (max < 512L << 20)
            + ", processors " + (Runtime.getRuntime().availableProcessors() >= 1));
        System.out.println("host " + InetAddress.getLocalHost().getHostName() + ", PATH "
            + (System.getenv("PATH") != null) + ", LANG " + System.getenv("LANG"));
        System.out.println("separators " + p("file.separator") + " " + p("path.separator") + " "
            + p("line.separator").equals("\n") + ", pid " + (ProcessHandle.current().pid() > 1));
    }
}
