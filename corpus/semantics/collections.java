// @benign collections.java
// @what iteration orders, sorted views, an LRU cache, immutability, fail-fast iterators, identity and equality of small and large Integers
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out={the=2, quick=1, brown=1, fox=1, jumps=1, over=1, lazy=1, dog=1}\n{the=2, fox=1, dog=1, over=1, lazy=1, quick=1, jumps=1, brown=1}\n{4=16, 1=1, 5=25}\n[3, 4, 5, 7] 5 [9, 7, 5, 4, 3, 1] 2\nfail-fast [10, 30, 10]\nimmutable\njava.lang.Integer\n02413 {MON=m, WED=w} true true [[1], [2, 3]] 994\n25 2 99162322
import java.util.*;

public class CollectionsTour {
    enum Day { MON, TUE, WED }

    public static void main(String[] args) {
        Map<String, Integer> linked = new LinkedHashMap<>(),
            tree = new TreeMap<>(Comparator.comparing(String::length).thenComparing(Comparator.reverseOrder()));
        for (String s : "the quick brown fox jumps over the lazy dog".split(" ")) {
            linked.merge(s, 1, Integer::sum);
            tree.merge(s, 1, Integer::sum);
        }
        System.out.println(linked + "\n" + tree);
        Map<Integer, Integer> lru = new LinkedHashMap<>(16, 0.75f, true) {
            protected boolean removeEldestEntry(Map.Entry<Integer, Integer> e) { return size() > 3; }
        };
        for (int i : new int[] {1, 2, 3, 1, 4, 1, 5}) lru.put(i, i * i);
        System.out.println(lru);
        TreeSet<Integer> set = new TreeSet<>(List.of(5, 1, 9, 3, 7));
        SortedSet<Integer> view = set.subSet(3, 9);
        set.add(4);
        System.out.println(view + " " + set.floor(6) + " " + set.descendingSet() + " "
            + new HashMap<>(Map.of("Aa", 1, "BB", 2)).size());
        List<Integer> list = new ArrayList<>(List.of(10, 20, 30, 40));
        list.remove(1);
        list.remove(Integer.valueOf(40));
        try {
            for (Integer x : list) list.add(x);
        } catch (ConcurrentModificationException e) {
            System.out.println("fail-fast " + list);
        }
        try { List.of(1).add(2); } catch (UnsupportedOperationException e) { System.out.println("immutable"); }
        try {
            Object[] a = new String[1];
            a[0] = 1;
        } catch (ArrayStoreException e) {
            System.out.println(e.getMessage());
        }
        PriorityQueue<int[]> q = new PriorityQueue<>((a, b) -> a[1] - b[1]);
        for (int i = 0; i < 5; i++) q.add(new int[] {i, (i * 3) % 5});
        StringBuilder order = new StringBuilder();
        while (!q.isEmpty()) order.append(q.poll()[0]);
        EnumMap<Day, String> days = new EnumMap<>(Map.of(Day.WED, "w", Day.MON, "m"));
        Integer a = 127, b = 127, c = 1000, d = 1000;
        System.out.println(order + " " + days + " " + (a == b) + " " + c.equals(d) + " "
            + Arrays.deepToString(new int[][] {{1}, {2, 3}}) + " " + Arrays.asList(1, 2).hashCode());
        BitSet sieve = new BitSet();
        sieve.set(2, 100);
        for (int i = 2; i < 10; i++) if (sieve.get(i)) for (int j = i * i; j < 100; j += i) sieve.clear(j);
        System.out.println(sieve.cardinality() + " " + Collections.frequency(List.of(1, 2, 1), 1) + " "
            + "hello".hashCode());
    }
}
