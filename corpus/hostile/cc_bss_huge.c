// @hostile cc_bss_huge.c
// @group mem
// @tries a terabyte of memory in an 8 KB program file, written to page by page
// @limits cpu=2 wall=5 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect RTE,MLE,CE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer cgroup_memory, rlimits
// @invariants up noproc nowrite noleft return<=18s
#include <stdio.h>
static char far_away[1ul << 40] __attribute__((section(".lbss,\"aw\",@nobits#")));
int main(void) {
    for (unsigned long i = 0; i < sizeof far_away; i += 4096) { ((volatile char *)far_away)[i] = 1; if (i >> 30) { puts("ESCAPED: touched 1 GB"); return 0; } }
    return 0;
}
