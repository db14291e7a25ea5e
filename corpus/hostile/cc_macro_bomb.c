// @hostile cc_macro_bomb.c
// @group compile
// @tries macros that expand tenfold twelve times: a source of ten lines is a trillion tokens
// @limits cpu=2 wall=5 mem=256 procs=64 out=1 disk=64 ccwall=4
// @expect CE   (never an internal error)
// @severity hard
// @layer cgroup_memory, meter
// @invariants up noproc nowrite noleft return<=9s
#define A(x) x x x x x x x x x x
#define B(x) A(A(A(x)))
#define C(x) B(B(x))
#define D(x) C(C(x))
int main(void) { int n = 0; D(n++;) return n; }
