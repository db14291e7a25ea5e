// @benign reflection.java
// @what reflection on own classes, private members, annotations, generic types, proxies, method handles; the JDK's private parts stay closed
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=a b b 42 java.util.List<java.util.Map<java.lang.String, java.lang.Integer>>\npear static <T extends java.lang.Comparable<T>> T Reflection$Suite.max(T,T)\ntarget true\njava.base stays closed\n[3, 2, 1] 6 5 [[I\nerased until used
import java.lang.annotation.*;
import java.lang.invoke.*;
import java.lang.reflect.*;
import java.util.*;

public class Reflection {
    @Retention(RetentionPolicy.RUNTIME) @interface Test { String value() default "unnamed"; int times() default 1; }
    static class Suite {
        private int secret = 41;
        public List<Map<String, Integer>> field;
        @Test("first") void a() { System.out.print("a "); }
        @Test(times = 2) private void b() { System.out.print("b "); }
        void helper() { System.out.print("never "); }
        static <T extends Comparable<T>> T max(T x, T y) { return x.compareTo(y) > 0 ? x : y; }
    }

    public static void main(String[] args) throws Throwable {
        Object suite = Class.forName("Reflection$Suite").getDeclaredConstructor().newInstance();
        Method[] methods = Suite.class.getDeclaredMethods();
        Arrays.sort(methods, Comparator.comparing(Method::getName));
        for (Method m : methods) {
            Test t = m.getAnnotation(Test.class);
            if (t != null) for (int i = 0; i < t.times(); i++) { m.setAccessible(true); m.invoke(suite); }
        }
        Field secret = Suite.class.getDeclaredField("secret");
        secret.setAccessible(true);
        secret.setInt(suite, secret.getInt(suite) + 1);
        System.out.println(secret.get(suite) + " " + Suite.class.getField("field").getGenericType());
        Method max = Suite.class.getDeclaredMethod("max", Comparable.class, Comparable.class);
        System.out.println(max.invoke(null, "fig", "pear") + " " + max.toGenericString());
        try {
            String.class.getDeclaredMethod("charAt", int.class).invoke("abc", 9);
        } catch (InvocationTargetException e) {
            System.out.println("target " + (e.getCause() instanceof StringIndexOutOfBoundsException));
        }
        try {
            String.class.getDeclaredField("value").setAccessible(true);
            System.out.println("opened");
        } catch (InaccessibleObjectException e) {
            System.out.println("java.base stays closed");
        }
        @SuppressWarnings("unchecked")
        Comparator<Integer> c = (Comparator<Integer>) Proxy.newProxyInstance(Reflection.class.getClassLoader(),
            new Class<?>[] {Comparator.class},
            (p, m, a) -> m.getName().equals("compare") ? (Integer) a[1] - (Integer) a[0] : null);
        List<Integer> list = new ArrayList<>(List.of(1, 3, 2));
        list.sort(c);
        MethodHandle length = MethodHandles.lookup().findVirtual(String.class, "length",
            MethodType.methodType(int.class));
        System.out.println(list + " " + (int) length.invokeExact("handle") + " "
            + Array.getLength(Array.newInstance(int.class, 5)) + " " + int[][].class.getName());
        List<String> raw = new ArrayList<>();
        ((List) raw).add(5);
        try { String s = raw.get(0); } catch (ClassCastException e) { System.out.println("erased until used"); }
    }
}
