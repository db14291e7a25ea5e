// @hostile unsafe_crash.java
// @group sig
// @tries breaks its own virtual machine by Unsafe, whose crash handler is told to dump core, to write its report outside and to run a command
// @limits cpu=6 wall=15 mem=512 procs=128 out=1 disk=64 ccwall=20
// @expect RTE   (never an internal error)
// @check stdout!~^ESCAPED
// @severity hard
// @layer tree, verdict
// @invariants up noproc nowrite noleft return<=18s
import java.lang.reflect.Field;
public class Main {
    public static void main(String[] a) throws Exception {
        if (a.length == 0) {
            ProcessBuilder again = new ProcessBuilder(System.getProperty("java.home") + "/bin/java", "-Xmx32m", "-XX:+CreateCoredumpOnCrash", "-XX:ErrorFile=/usr/h7391.log", "-XX:OnError=id -u | grep -qx 0 && echo ESCAPED: root", "Main", "crash");
            int code = again.inheritIO().start().waitFor();
            System.out.println("child ended with " + code);
            if (new java.io.File("/usr/h7391.log").exists()) System.out.println("ESCAPED: report in /usr");
        }
        Field f = sun.misc.Unsafe.class.getDeclaredField("theUnsafe");
        f.setAccessible(true);
        ((sun.misc.Unsafe) f.get(null)).putAddress(0, 0);
    }
}
