// @hostile cc_symbol_names.cpp
// @group compile
// @tries a type whose name doubles with each of forty levels, and a function that bears it in full: one string of terabytes
// @limits cpu=2 wall=5 mem=256 procs=64 out=1 disk=64 ccwall=4
// @expect CE   (never an internal error)
// @severity hard
// @layer cgroup_memory, meter, rlimits
// @invariants up noproc nowrite noleft return<=9s
template <class A, class B> struct P {};
template <int N> struct T { using type = P<typename T<N - 1>::type, typename T<N - 1>::type>; };
template <> struct T<0> { using type = int; };
template <class X> const char *name() { return __PRETTY_FUNCTION__; }
int main() { return name<T<40>::type>()[7]; }
