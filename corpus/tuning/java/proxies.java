import java.lang.reflect.*;
import java.util.*;
class Main {
    @interface Mark { } @Deprecated static void old() { }
    interface Greeter { String greet(String name); }
    public static void main(String[] args) throws Exception {
        InvocationHandler h = (p, m, a) -> m.getName() + Arrays.toString(a);
        Greeter g = (Greeter) Proxy.newProxyInstance(Main.class.getClassLoader(), new Class<?>[] {Greeter.class}, h);
        Runnable r = (Runnable) Proxy.newProxyInstance(Main.class.getClassLoader(), new Class<?>[] {Runnable.class}, (p, m, a) -> null);
        System.out.println(g.greet("x") + " " + g.getClass().getName() + " " + r.getClass().getName() + " " + g.getClass().getModule().isNamed());
        System.out.println(Main.class.getDeclaredMethod("old").getAnnotation(Deprecated.class).getClass().getSimpleName());
    }
}
