// @hostile jni_library.java
// @group kern
// @tries compiles a native library at run time, loads it and calls it: what the machine's own checks don't see, the filter does
// @limits cpu=6 wall=15 mem=512 procs=128 out=1 disk=64 ccwall=20
// @expect OK,RTE   (never an internal error)
// @check stdout~^(end|no compiler)$ ; stdout!~ESCAPED
// @severity hard
// @layer seccomp, capabilities
// @invariants up noproc nowrite noleft return<=18s
import java.nio.file.*;
public class Main {
    static native int attack();
    public static void main(String[] a) throws Exception {
        Files.writeString(Path.of("own.c"), String.join("\n",
            "#define _GNU_SOURCE", "#include <sched.h>", "#include <sys/mount.h>", "#include <sys/syscall.h>", "#include <sys/wait.h>", "#include <unistd.h>",
            "static int in_child(int n) { int st = 0; pid_t p = fork(); if (!p) { long r = n == 0 ? unshare(CLONE_NEWUSER) : n == 1 ? mount(\"none\", \"/tmp\", \"tmpfs\", 0, 0)",
            " : n == 2 ? syscall(SYS_ptrace, 16, getppid(), 0, 0) : n == 3 ? setuid(0) : syscall(SYS_bpf, 5, 0, 0); _exit(r >= 0 ? 77 : 0); }",
            " waitpid(p, &st, 0); return WIFEXITED(st) && WEXITSTATUS(st) == 77; }",
            "int Java_Main_attack(void *env, void *cls) { int n, won = 0; for (n = 0; n < 5; n++) won |= in_child(n) << n; return won; }"));
        int built;
        try { built = new ProcessBuilder("gcc", "-shared", "-fPIC", "-O1", "-o", "own.so", "own.c").inheritIO().start().waitFor(); } catch (java.io.IOException none) { built = 1; }
        if (built != 0) { System.out.println("no compiler"); return; }
        System.load(Path.of("own.so").toAbsolutePath().toString());
        int won = attack();
        if (won != 0) System.out.println("ESCAPED: by calls " + Integer.toBinaryString(won));
        System.out.println("end");
    }
}
