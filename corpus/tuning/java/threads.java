import java.util.concurrent.*;
class Main {
    public static void main(String[] args) throws Exception {
        Thread t = new Thread(() -> { }); System.out.println(t.getName() + t.getPriority() + t.isDaemon() + t.getThreadGroup().getName() + Thread.currentThread());
        ExecutorService pool = Executors.newFixedThreadPool(2); System.out.println(pool.submit(() -> Thread.currentThread().getName()).get()); pool.shutdown();
        System.out.println(CompletableFuture.supplyAsync(() -> Thread.currentThread().isDaemon()).get() + " " + ForkJoinPool.commonPool().getParallelism());
        try { pool.submit(() -> 1); } catch (RejectedExecutionException e) { System.out.println(e.getClass()); }
        try { CompletableFuture.supplyAsync(() -> { throw new IllegalStateException("later"); }).get(); } catch (ExecutionException e) { System.out.println(e + " " + e.getCause()); }
    }
}
