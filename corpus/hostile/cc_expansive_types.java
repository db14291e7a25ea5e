// @hostile cc_expansive_types.java
// @group compile
// @tries asks whether one type is another's subtype where the question contains itself, larger each time: javac falls over its stack or never ends
// @limits cpu=2 wall=5 mem=512 procs=128 out=1 disk=64 ccwall=6
// @expect CE   (never an internal error)
// @check stdout!~.
// @severity hard
// @layer meter, rlimits, verdict
// @invariants up noproc nowrite noleft return<=11s
public class Main {
    interface N<Z> { }
    static class C<X> implements N<N<? super C<C<X>>>> { }
    static class D<X, Y> implements N<N<? super D<D<Y, X>, D<X, D<Y, X>>>>> { }
    static N<? super C<Integer>> c(C<Integer> x) { return x; }
    static N<? super D<Integer, String>> d(D<Integer, String> x) { return x; }
    public static void main(String[] a) { System.out.println("compiled"); }
}
