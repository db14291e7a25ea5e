import java.lang.annotation.*;
import java.lang.reflect.*;
import java.util.*;
import java.util.stream.*;
class Main {
    @Retention(RetentionPolicy.RUNTIME) @interface Mark { String value() default "x"; int[] numbers() default {1, 2}; }
    @Mark(value = "y") static class Target<T extends Number> implements Comparable<Target<T>> { private T field; protected Target(int a) { } public int compareTo(Target<T> o) { return 0; } void own(List<? super T> l) throws java.io.IOException { } }
    static void members(Class<?> c) {
        Stream.of(c.getDeclaredMethods()).map(Method::toGenericString).sorted().forEach(System.out::println);
        Stream.of(c.getDeclaredFields()).map(Field::toGenericString).sorted().forEach(System.out::println);
        Stream.of(c.getDeclaredConstructors()).map(Constructor::toGenericString).sorted().forEach(System.out::println);
    }
    public static void main(String[] args) throws Exception {
        members(Target.class); members(java.util.Scanner.class); members(java.util.Optional.class); members(Integer.class);
        System.out.println(Arrays.toString(Target.class.getAnnotations()) + Target.class.toGenericString() + Arrays.toString(Target.class.getGenericInterfaces()));
        for (Class<?> c : new Class<?>[] {String.class, ArrayList.class, Collectors.class, Map.Entry.class, int[].class, Thread.State.class}) System.out.println(c + " " + c.getModifiers() + (c.getProtectionDomain().getCodeSource() == null) + c.getSigners() + c.getPackage() + c.getModule() + c.getClassLoader() + Arrays.toString(c.getInterfaces()));
        try { String.class.getDeclaredField("value").setAccessible(true); } catch (RuntimeException e) { System.out.println(e.getMessage().replaceAll("@.*", "@")); }
    }
}
