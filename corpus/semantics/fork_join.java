// @benign fork_join.java
// @what ForkJoinPool, the common pool and parallel streams work on one core, results independent of the number of workers
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=125000250000 125000250000\n17857107142\ntrue\n{false=666, true=334}\ncommon pool\n-1
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;

public class ForkJoin {
    static class Sum extends RecursiveTask<Long> {
        final int[] a; final int from, to;
        Sum(int[] a, int from, int to) { this.a = a; this.from = from; this.to = to; }
        protected Long compute() {
            if (to - from <= 1000) { long s = 0; for (int i = from; i < to; i++) s += a[i]; return s; }
            int middle = (from + to) / 2;
            Sum left = new Sum(a, from, middle), right = new Sum(a, middle, to);
            left.fork();
            return right.compute() + left.join();
        }
    }

    public static void main(String[] args) throws Exception {
        int[] a = IntStream.rangeClosed(1, 500000).toArray();
        System.out.println(new ForkJoinPool(4).invoke(new Sum(a, 0, a.length)) + " "
            + ForkJoinPool.commonPool().invoke(new Sum(a, 0, a.length)));
        System.out.println(IntStream.of(a).asLongStream().parallel().filter(x -> x % 7 == 0).sum());
        List<Integer> order = IntStream.range(0, 10000).parallel().map(x -> x * 2).boxed().collect(Collectors.toList());
        System.out.println(order.equals(IntStream.range(0, 10000).map(x -> x * 2).boxed().toList()));
        Map<Boolean, Long> parts = IntStream.range(0,
            1000).boxed().parallel().collect(Collectors.partitioningBy(x -> x % 3 == 0, Collectors.counting()));
        System.out.println(parts);
        CompletableFuture<String> f = CompletableFuture.supplyAsync(() -> "common")
            .thenCombine(CompletableFuture.supplyAsync(() -> "pool"), (x, y) -> x + " " + y);
        System.out.println(f.get(5, TimeUnit.SECONDS));
        CompletableFuture<Integer> bad = CompletableFuture.supplyAsync(() -> 1 / 0);
        System.out.println(bad.exceptionally(e -> e.getCause() instanceof ArithmeticException ? -1 : -2).join());
    }
}
