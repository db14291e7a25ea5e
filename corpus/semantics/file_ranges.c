// @benign file_ranges.c
// @what sparse files, ftruncate, pread and pwrite, append, copy_file_range, sendfile, fallocate, locks between processes, descriptors that share an offset
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=size 41943040, takes less than a MB: 1\nhole 1, data found 1\ncopied 3, sent 2, text endnd, allocated 0\noffset 6, text onetwo\nchild: flock held, record lock by parent 1
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    char b[16] = "";
    struct stat s;
    int f = open("sparse", O_RDWR | O_CREAT, 0644), g = open("copy", O_RDWR | O_CREAT, 0644);
    if (f < 0 || g < 0 || ftruncate(f, 40 << 20) || pwrite(f, "end", 3, (40 << 20) - 3) != 3) return 1;
    fstat(f, &s);
    printf("size %ld, takes less than a MB: %d\n", (long)s.st_size, s.st_blocks < 2048);
    printf("hole %d, data found %d\n", (int)pread(f, b, 1, 12345) == 1 && b[0] == 0, lseek(f, 0, SEEK_DATA) > 0);
    loff_t from = (40 << 20) - 3;
    printf("copied %zd, ", copy_file_range(f, &from, g, NULL, 3, 0));
    off_t at = (40 << 20) - 2;
    printf("sent %zd, ", sendfile(g, f, &at, 2));
    printf("text %.*s, allocated %d\n", (int)pread(g, b, 15, 0), b, posix_fallocate(g, 0, 100000));
    int a = open("log", O_RDWR | O_CREAT | O_APPEND, 0644), twin = dup(a);
    if (write(a, "one", 3) != 3 || lseek(twin, 0, SEEK_SET) || write(twin, "two", 3) != 3) return 2;
    printf("offset %ld, text %.*s\n", (long)lseek(a, 0, SEEK_CUR), (int)pread(a, b, 15, 0), b);
    flock(a, LOCK_EX);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
    fcntl(a, F_SETLK, &lock);
    fflush(stdout);
    if (fork() == 0) {
        int own = open("log", O_RDWR);
        printf("child: flock %s, ", flock(own, LOCK_EX | LOCK_NB) ? "held" : "free");
        fcntl(own, F_GETLK, &lock);
        printf("record lock by parent %d\n", lock.l_type == F_WRLCK && lock.l_pid == getppid());
        return 0;
    }
    wait(NULL);
    return fsync(a) || fdatasync(f) || truncate("sparse", 0);
}
