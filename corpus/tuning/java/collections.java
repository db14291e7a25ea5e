import java.util.*;
import java.util.stream.*;
class Main {
    public static void main(String[] args) {
        Map<Object, Integer> m = new HashMap<>(); for (String s : "the quick brown fox jumps over the lazy dog".split(" ")) m.merge(s, 1, Integer::sum);
        m.put(1.5, 1); m.put('c', 2); m.put(List.of(1), 3); m.put(Optional.of("x"), 4); m.put(new BitSet(), 5);
        System.out.println(m + " " + new HashSet<>(m.values()) + new TreeSet<>(Set.of(3, 1, 2)) + new PriorityQueue<>(List.of(5, 1, 4)));
        List<Integer> l = IntStream.range(0, 20).boxed().collect(Collectors.toList()); Collections.shuffle(l, new Random(7)); System.out.println(l + " " + new Random(42).nextGaussian());
        System.out.println(Stream.of("a", "bb", "cc").collect(Collectors.groupingBy(String::length)) + " " + Arrays.hashCode(new int[] {1}) + Objects.hash("x", 1) + "x".hashCode() + Boolean.hashCode(true) + List.of(1, 2).hashCode() + Map.of("k", 1).hashCode());
        try { for (Object o : m.keySet()) m.remove(o); } catch (ConcurrentModificationException e) { System.out.println(e); }
    }
}
