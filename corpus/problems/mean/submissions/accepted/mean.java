import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.StringTokenizer;

class Main {
    public static void main(String[] args) throws java.io.IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        int n = Integer.parseInt(in.readLine().trim());
        double[] x = new double[n];
        double sum = 0, squares = 0;
        StringTokenizer words = new StringTokenizer("");
        for (int i = 0; i < n; i++) {
            while (!words.hasMoreTokens()) words = new StringTokenizer(in.readLine());
            sum += x[i] = Double.parseDouble(words.nextToken());
        }
        for (double value : x) squares += (value - sum / n) * (value - sum / n);
        System.out.println(sum / n + " " + Math.sqrt(squares / n));
    }
}
