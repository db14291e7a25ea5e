// @hostile flood_bytes.c
// @group out
// @tries single bytes on both streams in turn, as many system calls as there can be: each would wake the reader
// @limits cpu=2 wall=5 mem=64 procs=64 out=1 disk=64 ccwall=10
// @expect TLE,OLE,RTE,OK   (never an internal error)
// @severity hard
// @layer output_cap
// @invariants up noproc nowrite noleft return<=8s body<=out+64K
#include <unistd.h>
int main(void) {
    for (;;) {
        (void)!write(1, "a", 1);
        (void)!write(2, "b", 1);
    }
}
