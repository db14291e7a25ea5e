import java.util.*;
import java.util.stream.*;
class Main {
    static <T extends Comparable<T>> T most(Collection<? extends T> all) { return null; }
    public static void main(String[] args) {
        Map<String, List<Integer>> m = Stream.of(1, 2).collect(Collectors.groupingBy(x -> x % 2, TreeMap::new, Collectors.toList()));
        List<String> l = Stream.of(1, 2).map(x -> x + 1).collect(Collectors.toList());
        String s = most(List.of(1, "x")); Comparator<Integer> c = Comparator.comparing(String::length).reversed();
        Optional<Integer> o = List.of("a").stream().reduce(0, (a, b) -> a + b.length());
    }
}
