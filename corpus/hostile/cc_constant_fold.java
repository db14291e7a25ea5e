// @hostile cc_constant_fold.java
// @group compile
// @tries constants that are each the one before twice: javac folds a string of gigabytes
// @limits cpu=2 wall=5 mem=512 procs=128 out=1 disk=64 ccwall=5
// @expect CE   (never an internal error)
// @severity hard
// @layer cgroup_memory, meter
// @invariants up noproc nowrite noleft return<=10s
public class Main {
    static final String A = "0123456789abcdef", B = A + A + A + A + A + A + A + A, C = B + B + B + B + B + B + B + B, D = C + C + C + C + C + C + C + C, E = D + D + D + D + D + D + D + D,
        F = E + E + E + E + E + E + E + E, G = F + F + F + F + F + F + F + F, H = G + G + G + G + G + G + G + G, I = H + H + H + H + H + H + H + H, J = I + I + I + I + I + I + I + I;
    public static void main(String[] a) { System.out.println(J.length()); }
}
