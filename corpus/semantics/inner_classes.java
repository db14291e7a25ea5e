// @benign inner_classes.java
// @what inner, static nested, local and anonymous classes, captured variables, outer this, shadowed names, several top-level classes in one file
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=321 9\n100 101 120\nhi2 hi1 you InnerClasses$1 Deeper InnerClasses$1Local\n[Dog trick=null] trick=sits 1 int[]\ntrue
import java.util.*;
import java.util.function.*;

interface Greeter { String greet(String who); default Greeter twice() { return w -> greet(greet(w)); } }
abstract class Animal {
    private static int count;
    final String name;
    Animal(String name) { this.name = name; count++; init(); }
    void init() { System.out.print("[" + name + " " + this + "] "); }
    static int count() { return count; }
}
class Dog extends Animal {
    String trick = "sits";
    Dog() { super("Dog"); }
    @Override public String toString() { return "trick=" + trick; }
}
public class InnerClasses {
    private int x = 1;
    class Inner {
        int x = 2;
        class Deeper { int x = 3; String all() { return x + "" + Inner.this.x + InnerClasses.this.x; } }
    }
    static class Nested { private int hidden = 9; }

    List<Supplier<Integer>> counters() {
        List<Supplier<Integer>> list = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            int base = i * 10;
            class Local implements Supplier<Integer> { int n = base; public Integer get() { return n++ + x; } }
            list.add(new Local());
        }
        return list;
    }

    public static void main(String[] args) {
        InnerClasses o = new InnerClasses();
        InnerClasses.Inner.Deeper d = o.new Inner().new Deeper();
        System.out.println(d.all() + " " + new Nested().hidden);
        List<Supplier<Integer>> c = o.counters();
        o.x = 100;
        System.out.println(c.get(0).get() + " " + c.get(0).get() + " " + c.get(2).get());
        Greeter g = new Greeter() {
            int calls;
            public String greet(String who) { return "hi" + ++calls + " " + who; }
        };
        System.out.println(g.twice().greet("you") + " " + g.getClass().getName() + " " + d.getClass().getSimpleName()
            + " " + c.get(0).getClass().getName());
        Dog dog = new Dog();
        System.out.println(dog + " " + Animal.count() + " " + new int[0].getClass().getSimpleName());
        Runnable r = () -> System.out.println(o.getClass() == InnerClasses.class);
        r.run();
    }
}
