// @hostile cc_constexpr_loop.cpp
// @group compile
// @tries hundreds of constant expressions, each of which computes as long as the compiler lets one
// @limits cpu=2 wall=5 mem=256 procs=64 out=1 disk=64 ccwall=4
// @expect CE   (never an internal error)
// @severity hard
// @layer meter, cgroup_memory
// @invariants up noproc nowrite noleft return<=9s
template <int N> constexpr long slow() { long sum = N; for (long i = 0; i < 30'000'000; i++) sum = sum * 31 + i; return sum; }
#define A(n) static_assert(slow<n>() != 1); static_assert(slow<n + 1>() != 1); static_assert(slow<n + 2>() != 1); static_assert(slow<n + 3>() != 1);
A(0) A(4) A(8) A(12) A(16) A(20) A(24) A(28) A(32) A(36) A(40) A(44) A(48) A(52) A(56) A(60) A(64) A(68) A(72) A(76)
int main() {}
