// @benign deep_recursion_main.java
// @what recursion 50,000 deep on the main thread: with the JVM's own default of 1 MB it overflows, so the engine has to give main a larger stack
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=1250025000
public class DeepRecursionMain {
    static long sum(int n) { return n == 0 ? 0 : n + sum(n - 1); }

    public static void main(String[] args) { System.out.println(sum(50000)); }
}
