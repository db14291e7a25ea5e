// @hostile kernel_secrets.c
// @group snoop
// @tries addresses and memory of the kernel: kallsyms, modules, iomem, the log, vmallocinfo, slabinfo, pagemap, timer_list, sockets
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer capabilities, tree, uid
// @invariants up noproc nowrite noleft return<=7s
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Success looks like an address that is not zero: it would say where the kernel lies. */
static void addresses(const char *path, int field) {
    char line[512], *save, *word;
    FILE *f = fopen(path, "r");
    for (int n = 0; f && n < 20000 && fgets(line, sizeof line, f); n++) {
        int i = 0;
        for (word = strtok_r(line, " \t\n-", &save); word && i < field; i++) word = strtok_r(0, " \t\n-", &save);
        if (word && strlen(word) >= 8 && strtoull(word + (word[0] == '0' && word[1] == 'x' ? 2 : 0), 0, 16)) {
            printf("ESCAPED: %s tells the address %s\n", path, word);
            break;
        }
    }
    if (f) fclose(f);
}
int main(void) {
    addresses("/proc/kallsyms", 0), addresses("/proc/modules", 5), addresses("/proc/iomem", 1);
    const char *closed[] = {"/proc/kmsg", "/dev/kmsg", "/proc/vmallocinfo", "/proc/slabinfo", "/proc/kcore",
                            "/proc/timer_list", "/proc/pagetypeinfo", "/proc/kpageflags", "/proc/kpagecount",
                            "/proc/kpagecgroup",
                            "/proc/self/stack", "/sys/kernel/notes", "/sys/kernel/btf/vmlinux", "/sys/module",
                            "/sys/firmware/acpi/tables/DSDT", "/sys/kernel/debug", "/boot/System.map"};
    char b[64];
    for (unsigned i = 0; i < sizeof closed / sizeof *closed; i++) {
        int f = open(closed[i], O_RDONLY | O_NONBLOCK);
        if (f >= 0 && read(f, b, sizeof b) > 0) printf("ESCAPED: read %s\n", closed[i]);
        close(f);
    }
    unsigned long entry = 0; /* page frames are zero without CAP_SYS_ADMIN */
    int f = open("/proc/self/pagemap", O_RDONLY);
    if (f >= 0 && pread(f, &entry, 8, (off_t)((unsigned long)&entry / 4096 * 8)) == 8 && entry & ((1ul << 55) - 1))
        puts("ESCAPED: pagemap tells page frames");
    puts("end");
    return 0;
}
