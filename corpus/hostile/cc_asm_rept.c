// @hostile cc_asm_rept.c
// @group compile
// @tries tells the assembler to repeat a line four billion times, within a repetition
// @limits cpu=2 wall=5 mem=256 procs=64 out=1 disk=64 ccwall=4
// @expect CE   (never an internal error)
// @severity hard
// @layer cgroup_memory, meter, rlimits
// @invariants up noproc nowrite noleft return<=9s
__asm__(".data\n.rept 65536\n.rept 65536\n.quad 1,2,3,4,5,6,7,8\n.endr\n.endr\n");
int main(void) { return 0; }
