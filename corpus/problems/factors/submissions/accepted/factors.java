import java.util.Scanner;

class Main {
    public static void main(String[] args) {
        long n = new Scanner(System.in).nextLong();
        StringBuilder out = new StringBuilder();
        for (long p = 2; p * p <= n; p++)
            for (; n % p == 0; n /= p) out.append(p).append('\n');
        if (n > 1) out.append(n).append('\n');
        System.out.print(out);
    }
}
