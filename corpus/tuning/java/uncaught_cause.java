class Main {
    static class Own extends RuntimeException { Own(String m, Throwable c) { super(m, c); } }
    static class Closing implements AutoCloseable { public void close() { throw new IllegalStateException("closing"); } }
    public static void main(String[] args) throws Exception {
        Thread t = new Thread(() -> { throw new Own("in a thread", new java.io.IOException("cause")); }, "second");
        t.start();
        t.join();
        try (Closing c = new Closing()) { throw new Own("in main", new Error("error")); }
    }
}
