package shop;
public record Item(String name, int price) { Item { if (price < 0) throw new IllegalArgumentException(name + " costs " + price); } public static Item of(String n, int p) { return new Item(n, p); } }
