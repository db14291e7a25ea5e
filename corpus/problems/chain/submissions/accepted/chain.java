import java.util.Arrays;
import java.util.Scanner;

class Main {
    public static void main(String[] args) {
        Scanner in = new Scanner(System.in);
        int[] x = new int[in.nextInt()];
        for (int i = 0; i < x.length; i++) x[i] = in.nextInt();
        Arrays.sort(x);
        int[] best = new int[x.length];
        for (int i = 0; i < x.length; i++) {
            best[i] = 1;
            for (int j = 0; j < i; j++) if (x[i] % x[j] == 0) best[i] = Math.max(best[i], best[j] + 1);
        }
        System.out.println(Arrays.stream(best).max().getAsInt());
    }
}
