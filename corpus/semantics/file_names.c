// @benign file_names.c
// @what rename over a file, hard and symbolic links, modes and umask, times, unlinking, sorted listing with a name that is not UTF-8, nftw
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=folder mode 750, file mode 640\nsize 5, links 2, link text old, symbolic 1, dangling ENOENT\nby its other name newer, soft broken -1\ntime 1000000000.123456789\n. .. dangling hard soft sub ž (bytes)\nrename onto a full folder refused\nremoved 9
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int entries;
static int visit(const char *p, const struct stat *s, int type, struct FTW *f)
{
    (void)s, (void)type, (void)f;
    entries++;
    return remove(p);
}
static void put(const char *name, const char *text) { FILE *f = fopen(name, "w"); if (f) fputs(text, f), fclose(f); }

int main(void)
{
    struct stat s;
    char target[16] = "", text[16] = "";
    umask(027);
    if (mkdir("d", 0777) || chdir("d")) return 1;
    put("old", "old"), put("new", "newer");
    stat(".", &s), printf("folder mode %o, ", s.st_mode & 0777);
    stat("old", &s), printf("file mode %o\n", s.st_mode & 0777);
    rename("new", "old"), link("old", "hard"), symlink("old", "soft"), symlink("nowhere", "dangling");
    stat("hard", &s), printf("size %d, links %d, ", (int)s.st_size, (int)s.st_nlink);
    printf("link text %.*s, ", (int)readlink("soft", target, 15), target);
    lstat("soft", &s), printf("symbolic %d, dangling %s\n", S_ISLNK(s.st_mode), stat("dangling", &s)
        && errno == ENOENT ? "ENOENT" : "?");
    unlink("old");
    FILE *f = fopen("hard", "r");
    printf("by its other name %s, soft broken %d\n", f ? fgets(text, 16, f) : "?", access("soft", R_OK));
    utimensat(AT_FDCWD, "hard", (struct timespec[]){{1, 0}, {1000000000, 123456789}}, 0);
    stat("hard", &s), printf("time %ld.%09ld\n", (long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
    put("\xff\xfe", ""), put("ž", ""), mkdir("sub", 0700), put("sub/x", "");
    struct dirent **list;
    int n = scandir(".", &list, NULL, alphasort);
    for (int i = 0; i < n; i++) printf("%s%s", (unsigned char)list[i]->d_name[0] == 0xff ? "(bytes)" : list[i]->d_name,
        i + 1 < n ? " " : "\n");
    printf("rename onto a full folder %s\n", mkdir("sub2", 0700)
        || rename("sub2", "sub") == 0 ? "worked" : errno == ENOTEMPTY || errno == EEXIST ? "refused" : "?");
    if (chdir("..") || nftw("d", visit, 8, FTW_DEPTH | FTW_PHYS)) return 2;
    printf("removed %d\n", entries);
    return 0;
}
