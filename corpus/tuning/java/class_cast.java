import java.util.*;
class Main {
    interface Shape {} static class Circle implements Shape {} static class Square implements Shape {}
    @SuppressWarnings("unchecked") static <T> T any(Object o) { return (T) o; }
    public static void main(String[] args) {
        Runnable[] all = {() -> { Integer i = any("x"); }, () -> { Circle c = (Circle) any(new Square()); }, () -> { Comparable<?> c = (Comparable<?>) any(new Main()); },
            () -> { Object[] o = new String[1]; o[0] = 1; }, () -> new TreeSet<Object>().add(new Main()), () -> { int[] a = new int[-1]; }};
        for (Runnable r : all) try { r.run(); } catch (RuntimeException e) { System.out.println(e); }
    }
}
