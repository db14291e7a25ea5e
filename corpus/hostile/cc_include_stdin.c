// @hostile cc_include_stdin.c
// @group compile
// @tries includes what the compiler reads from its standard input: neither the program's input nor anything else may be there, and nobody may wait
// @limits cpu=2 wall=5 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,CE,RTE   (never an internal error)
// @check stdout!~ESCAPED ; cmpout!~ESCAPED
// @stdin #define LEAKED_INPUT "ESCAPED: the input of the run is the compiler's"
// @severity hard
// @layer api
// @invariants up noproc nowrite noleft return<=18s
#include <stdio.h>
#include "/dev/stdin"
#include "/proc/self/fd/0"
#include "/dev/fd/0"
int main(void) {
#ifdef LEAKED_INPUT
    puts(LEAKED_INPUT);
#endif
    puts("end");
    return 0;
}
