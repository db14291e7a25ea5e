import java.util.concurrent.*;
class Main { public static void main(String[] args) throws Exception { try (var pool = Executors.newVirtualThreadPerTaskExecutor()) { System.out.println(pool.submit(() -> Thread.currentThread().isVirtual()).get()); } Thread.ofVirtual().start(() -> { throw new IllegalStateException("v"); }).join(); } }
