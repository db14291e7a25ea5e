// @benign class_init.java
// @what classes initialise at first use and once, constants don't trigger it, order of fields and blocks, a failing initialiser and what follows
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=constant 7\narray 3\nBase static\nDerived static\nBase field\nBase block\nBase constructor sees derived with d=0\nDerived constructor\nBase field\nBase block\nBase constructor sees derived with d=0\nDerived constructor\nfirst: NumberFormatException\nthen: Could not initialize class ClassInit$Broken\nHolder loaded by two threads\ntrue\nnot found NoSuchClass
public class ClassInit {
    static int say(String s, int v) { System.out.println(s); return v; }

    static class Base {
        static int a = say("Base static", 1);
        int b = say("Base field", 2);
        { say("Base block", 0); }
        Base() { say("Base constructor sees " + hook(), 0); }
        String hook() { return "base"; }
    }
    static class Derived extends Base {
        static final int CONSTANT = 7;
        static final Integer BOXED = say("Derived static", 8);
        final int c;
        int d = 5;
        Derived() { super(); c = say("Derived constructor", 3); }
        @Override String hook() { return "derived with d=" + d; }
    }
    static class Broken {
        static int value = Integer.parseInt("not a number");
    }
    static class Holder { static { say("Holder loaded by two threads", 0); } static final Object IT = new Object(); }

    public static void main(String[] args) throws Exception {
        System.out.println("constant " + Derived.CONSTANT);
        Derived[] none = new Derived[3];
        System.out.println("array " + none.length);
        new Derived();
        new Derived();
        try {
            System.out.println(Broken.value);
        } catch (ExceptionInInitializerError e) {
            System.out.println("first: " + e.getCause().getClass().getSimpleName());
        }
        try {
            System.out.println(Broken.value);
        } catch (NoClassDefFoundError e) {
            System.out.println("then: " + e.getMessage());
        }
        Object[] seen = new Object[2];
        Thread[] t = new Thread[2];
        for (int i = 0; i < 2; i++) { int n = i; t[i] = new Thread(() -> seen[n] = Holder.IT); t[i].start(); }
        for (Thread x : t) x.join();
        System.out.println(seen[0] == seen[1]);
        try {
            Class.forName("NoSuchClass");
        } catch (ClassNotFoundException e) {
            System.out.println("not found " + e.getMessage());
        }
    }
}
