// @hostile attach_others.java
// @group snoop
// @tries two runs at once: each looks for the other's virtual machine by /proc, by the performance files and by the attach socket in /tmp, through which agents are loaded
// @limits cpu=6 wall=15 mem=512 procs=128 out=1 disk=64 ccwall=20
// @expect OK,RTE   (never an internal error)
// @check stdout~^end$ ; stdout!~ESCAPED
// @runs 2par
// @severity hard
// @layer pid_ns, mount_ns
// @invariants up noproc nowrite noleft return<=18s
import java.nio.file.*;
import java.util.stream.*;
public class Main {
    public static void main(String[] a) throws Exception {
        String me = String.valueOf(ProcessHandle.current().pid());
        for (int turn = 0; turn < 8; turn++) {
            Files.writeString(Path.of("/tmp/.attach_h7391_" + turn + "_" + System.nanoTime()), me);
            try (Stream<Path> all = Files.list(Path.of("/proc"))) {
                for (Path p : all.filter(p -> p.getFileName().toString().matches("\\d+")).collect(Collectors.toList())) {
                    String pid = p.getFileName().toString(), comm;
                    try { comm = Files.readString(p.resolve("comm")).trim(); } catch (java.io.IOException gone) { continue; }
                    if (comm.equals("java") && !pid.equals(me)) System.out.println("ESCAPED: another virtual machine, pid " + pid);
                }
            }
            try (Stream<Path> all = Files.list(Path.of("/tmp"))) {
                for (Path p : all.collect(Collectors.toList())) {
                    String name = p.getFileName().toString();
                    if (name.startsWith(".attach_h7391") && Files.readString(p).equals(me)) continue;
                    if (name.startsWith(".java_pid" + me) || name.startsWith("hsperfdata_") && p.resolve(me).toFile().exists()) continue;
                    System.out.println("ESCAPED: /tmp has " + name);
                }
            }
            Thread.sleep(150);
        }
        System.out.println("end");
    }
}
