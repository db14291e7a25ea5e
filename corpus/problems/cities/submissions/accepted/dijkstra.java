import java.util.ArrayList;
import java.util.List;
import java.util.PriorityQueue;
import java.util.StringTokenizer;

class Main {
    record Way(int to, long cost) {}

    public static void main(String[] args) throws java.io.IOException {
        StringTokenizer in = new StringTokenizer(new String(System.in.readAllBytes()));
        int n = Integer.parseInt(in.nextToken()), m = Integer.parseInt(in.nextToken());
        List<List<Way>> ways = new ArrayList<>();
        for (int i = 0; i < n; i++) ways.add(new ArrayList<>());
        while (m-- > 0) {
            int from = Integer.parseInt(in.nextToken()), to = Integer.parseInt(in.nextToken());
            ways.get(from).add(new Way(to, Long.parseLong(in.nextToken())));
        }
        long[] best = new long[n];
        java.util.Arrays.fill(best, -1);
        PriorityQueue<Way> queue = new PriorityQueue<>(java.util.Comparator.comparingLong(Way::cost));
        queue.add(new Way(0, 0));
        while (!queue.isEmpty()) {
            Way way = queue.poll();
            if (best[way.to()] >= 0) continue;
            best[way.to()] = way.cost();
            for (Way next : ways.get(way.to())) queue.add(new Way(next.to(), way.cost() + next.cost()));
        }
        StringBuilder out = new StringBuilder();
        for (long cost : best) out.append(cost < 0 ? "-" : String.valueOf(cost)).append('\n');
        System.out.print(out);
    }
}
