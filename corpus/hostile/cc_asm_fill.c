// @hostile cc_asm_fill.c
// @group compile
// @tries one line of assembler that fills a terabyte of the object file
// @limits cpu=2 wall=5 mem=256 procs=64 out=1 disk=64 ccwall=4
// @expect CE,RTE   (never an internal error)
// @severity hard
// @layer rlimits, meter, cgroup_memory
// @invariants up noproc nowrite noleft return<=9s
__asm__(".data\n.org 0x10000000000\n.fill 0x10000000000, 1, 0x7f\n.text\n");
int main(void) { return 0; }
