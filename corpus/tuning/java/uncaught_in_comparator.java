import java.util.*;
class Main {
    record Item(String name) {}
    public static void main(String[] args) {
        List<Item> items = new ArrayList<>(List.of(new Item("b"), new Item(null), new Item("a")));
        new TreeMap<>(Map.of(1, 2)).computeIfPresent(1, (k, v) -> v + 1);
        items.sort(Comparator.comparing(Item::name));
    }
}
