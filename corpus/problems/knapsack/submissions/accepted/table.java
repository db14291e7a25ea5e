import java.util.Scanner;

class Main {
    public static void main(String[] args) {
        Scanner in = new Scanner(System.in);
        int n = in.nextInt(), room = in.nextInt();
        long[] best = new long[room + 1];
        while (n-- > 0) {
            int weight = in.nextInt(), value = in.nextInt();
            for (int w = room; w >= weight; w--) best[w] = Math.max(best[w], best[w - weight] + value);
        }
        System.out.println(best[room]);
    }
}
