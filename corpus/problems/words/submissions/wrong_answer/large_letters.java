import java.util.Scanner;
import java.util.TreeMap;

class Main {
    public static void main(String[] args) {
        TreeMap<String, Integer> times = new TreeMap<>();
        Scanner in = new Scanner(System.in);
        while (in.hasNext()) times.merge(in.next().toLowerCase(), 1, Integer::sum);
        times.forEach((word, n) -> System.out.println(word + " " + n));
    }
}
