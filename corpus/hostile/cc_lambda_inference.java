// @hostile cc_lambda_inference.java
// @group compile
// @tries lambdas within lambdas as arguments of an overloaded generic method: javac tries each overload at each level
// @limits cpu=2 wall=5 mem=512 procs=128 out=1 disk=64 ccwall=5
// @expect CE   (never an internal error)
// @severity hard
// @layer meter, cgroup memory
// @invariants up noproc nowrite noleft return<=10s
import java.util.concurrent.Callable;
import java.util.function.Supplier;
public class Main {
    static <T> T f(Callable<T> c) { return null; }
    static <T> T f(Supplier<T> s, T... more) { return null; }
    static void f(Runnable r) { }
    public static void main(String[] a) {
        f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() ->
            f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> f(() -> System.gc()))))))))))))))))))))))))))))))))))));
    }
}
