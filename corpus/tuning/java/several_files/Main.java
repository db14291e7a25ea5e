import shop.Item;
public class Main { public static void main(String[] args) { System.out.println(Item.of("tea", 3)); System.out.println(Item.of("debt", -1)); } }
