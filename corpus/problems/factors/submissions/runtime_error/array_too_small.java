import java.util.Scanner;

class Main {
    public static void main(String[] args) {
        long n = new Scanner(System.in).nextLong();
        long[] found = new long[4];
        int count = 0;
        for (long p = 2; p * p <= n; p++) for (; n % p == 0; n /= p) found[count++] = p;
        if (n > 1) found[count++] = n;
        for (int i = 0; i < count; i++) System.out.println(found[i]);
    }
}
