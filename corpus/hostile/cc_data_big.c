// @hostile cc_data_big.c
// @group compile
// @tries 800 MB of initialised data: a program file above the largest that is allowed
// @limits cpu=2 wall=5 mem=256 procs=64 out=1 disk=64 ccwall=4
// @expect CE   (never an internal error)
// @severity hard
// @layer rlimits, cgroup_memory
// @invariants up noproc nowrite noleft return<=9s
static volatile char data[800 << 20] = {1};
int main(void) { return data[5]; }
