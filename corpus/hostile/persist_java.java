// @hostile persist_java.java
// @group fs
// @tries leaves classes, agents, options, preferences and performance files where a later virtual machine would look, and looks for those of an earlier run
// @limits cpu=6 wall=15 mem=512 procs=128 out=1 disk=64 ccwall=20
// @expect OK,RTE   (never an internal error)
// @check stdout~^planted \d+$ ; stdout!~ESCAPED
// @runs 2
// @severity hard
// @layer mount_ns, tree
// @invariants up noproc nowrite noleft  return<=20s
import java.nio.file.*;
public class Main {
    public static void main(String[] a) throws Exception {
        try { Class.forName("H7391Planted"); System.out.println("ESCAPED: a class of an earlier run"); } catch (ClassNotFoundException fine) { }
        if (System.getProperty("h7391") != null || System.getenv("JAVA_TOOL_OPTIONS") != null) System.out.println("ESCAPED: started with an earlier run's options");
        String home = System.getProperty("java.home"), user = System.getProperty("user.home");
        int planted = 0;
        for (String place : new String[] {"/box/H7391Planted.class", "/box/_classes/.hotspotrc", "/box/.hotspotrc", "/box/.java/h7391", user + "/.hotspotrc", user + "/.java/.userPrefs/h7391", user + "/.jdk", "/tmp/hsperfdata_sandbox/1", "/tmp/.java_pid2",
            "/dev/shm/h7391", home + "/lib/h7391.jar", home + "/conf/h7391", home + "/lib/server/h7391.jsa", "/usr/share/java/h7391.jar", "/etc/java-17-openjdk/h7391", "/etc/.java/.systemPrefs/h7391", "/etc/h7391"}) {
            Path path = Path.of(place);
            if (Files.exists(path)) System.out.println("ESCAPED: found " + place);
            try { Files.createDirectories(path.getParent()); Files.writeString(path, "-Dh7391=1"); planted++; if (place.startsWith(home) || place.startsWith("/usr") || place.startsWith("/etc")) System.out.println("ESCAPED: planted " + place); }
            catch (Exception refused) { }
        }
        System.out.println("planted " + planted);
    }
}
