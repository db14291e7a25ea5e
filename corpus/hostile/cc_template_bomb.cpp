// @hostile cc_template_bomb.cpp
// @group compile
// @tries templates that instantiate two of the next depth each, all of them different: exponential work for the compiler
// @limits cpu=2 wall=5 mem=256 procs=64 out=1 disk=64 ccwall=4
// @expect CE   (never an internal error)
// @severity hard
// @layer meter, cgroup_memory
// @invariants up noproc nowrite noleft return<=9s
template <int N, unsigned long P> struct Tree { enum : unsigned long { size = Tree<N - 1, 2 * P>::size + Tree<N - 1, 2 * P + 1>::size }; };
template <unsigned long P> struct Tree<0, P> { enum : unsigned long { size = 1 }; };
int main() { return Tree<40, 1>::size == 0; }
