import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

class Main {
    static final InputStream in = new BufferedInputStream(System.in, 1 << 16);

    static int next() throws IOException {
        int c = in.read(), number = 0;
        while (c <= ' ') c = in.read();
        boolean negative = c == '-';
        if (negative) c = in.read();
        for (; c > ' '; c = in.read()) number = number * 10 + c - '0';
        return negative ? -number : number;
    }

    public static void main(String[] args) throws IOException {
        int[] numbers = new int[next()];
        for (int i = 0; i < numbers.length; i++) numbers[i] = next();
        Arrays.sort(numbers);
        StringBuilder out = new StringBuilder().append(numbers[numbers.length / 2]).append('\n');
        for (int i = 0; i < numbers.length; i += 1000) out.append(numbers[i]).append('\n');
        System.out.print(out);
    }
}
