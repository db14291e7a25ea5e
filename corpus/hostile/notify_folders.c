// @hostile notify_folders.c
// @group kern
// @tries dnotify (fcntl F_NOTIFY) on folders of /usr that every run and the host read: each read there would walk the list of those who asked
// @limits cpu=2 wall=5 mem=64 procs=64 out=1 disk=64 ccwall=10
// @expect OK
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp
// @invariants up noproc nowrite noleft return<=8s
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Success looks like 0 from fcntl: a watch hangs on an inode that is the host's. Kernels without dnotify say EINVAL too. */
int main(void) {
    const char *folders[] = {"/usr/lib", "/usr/bin", "/usr/lib/x86_64-linux-gnu", "/", "/box"};
    unsigned long masks[] = {1 /* DN_ACCESS */, 0x80000001 /* DN_MULTISHOT */, 0x3f, 0};
    for (unsigned f = 0; f < sizeof folders / sizeof *folders; f++) {
        int d = open(folders[f], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (d < 0) continue;
        for (unsigned m = 0; m < sizeof masks / sizeof *masks; m++) {
            errno = 0;
            if (fcntl(d, F_NOTIFY, masks[m]) == 0) printf("ESCAPED: told of %s by %#lx\n", folders[f], masks[m]);
            else printf("%s %#lx: %s\n", folders[f], masks[m], strerror(errno));
        }
    }
    return 0;
}
