class Main {
    static class Bad { static int x = 1 / zero(); static int zero() { return 0; } }
    public static void main(String[] args) {
        try { System.out.println(Bad.x); } catch (ExceptionInInitializerError e) { System.out.println(e + " " + e.getCause()); }
        System.out.println(Bad.x);
    }
}
