class Main {
    record Point(int x, Object y) {}
    static String of(Object o) { return switch (o) { case null -> "null"; case Integer i when i > 3 -> "big " + i; case Point(int x, String s) -> x + s; case String s -> s; default -> o.toString(); }; }
    public static void main(String[] args) { for (Object o : new Object[] {null, 5, 1, new Point(1, "y"), "s", new Point(2, 3)}) System.out.println(of(o)); }
}
