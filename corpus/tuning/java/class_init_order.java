class Main {
    static class A { static { System.out.println("A"); } static final int CONST = 1; static int x = 2; } static class B extends A { static { System.out.println("B"); } { System.out.println("new B"); } }
    interface I { int y = Main.say("I"); default void m() { } } static class C implements I { static int z = say("C"); }
    static int say(String s) { System.out.println(s); return s.length(); }
    public static void main(String[] args) throws Exception { System.out.println(A.CONST); B[] none = new B[1]; new B(); System.out.println(B.x); new C(); Class.forName("Main$A", false, Main.class.getClassLoader()); System.out.println(I.y); }
}
