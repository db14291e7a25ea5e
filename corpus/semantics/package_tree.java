// @benign package_tree.java
// @what several files in packages in sub-folders, package-private and protected access, static import, an interface implemented elsewhere, main in a package too
// @limits cpu=10 wall=20 mem=512
// @file shop/model/Item.java:"package\ shop.model;\ public\ class\ Item\ {\ public\ final\ String\ name;\ protected\ int\ cents;\ public\ Item(String\ n,\ int\ c)\ {\ name\ =\ n;\ cents\ =\ Rules.checked(c);\ }\ public\ int\ cents()\ {\ return\ cents;\ }\ }"
// @file shop/model/Rules.java:"package\ shop.model;\ class\ Rules\ {\ static\ int\ checked(int\ c)\ {\ if\ (c\ <\ 0)\ throw\ new\ IllegalArgumentException("price");\ return\ c;\ }\ }"
// @file shop/Pricing.java:"package\ shop;\ public\ interface\ Pricing\ {\ int\ SCALE\ =\ 100;\ int\ total(java.util.List<shop.model.Item>\ l);\ static\ String\ euro(int\ c)\ {\ return\ c\ /\ SCALE\ +\ ","\ +\ c\ %\ SCALE\ +\ "\ €";\ }\ }"
// @expect exit=0
// @expect out=2 items, 12,49 €, discounted 11,25 €\nshop.app.Checkout in shop.app, price
package shop.app;

import java.util.List;
import shop.Pricing;
import shop.model.Item;
import static shop.Pricing.euro;

public class Checkout {
    static class Discounted extends Item {
        Discounted(Item i) { super(i.name, i.cents()); cents -= cents / 10; }
    }

    public static void main(String[] args) {
        Pricing p = l -> l.stream().mapToInt(Item::cents).sum();
        List<Item> basket = List.of(new Item("tea", 999), new Item("milk", 250));
        String less = euro(p.total(basket.stream().map(i -> (Item) new Discounted(i)).toList()));
        System.out.println(basket.size() + " items, " + euro(p.total(basket)) + ", discounted " + less);
        String error = "";
        try { new Item("?", -1); } catch (IllegalArgumentException e) { error = e.getMessage(); }
        System.out.println(Checkout.class.getName() + " in " + Checkout.class.getPackageName() + ", " + error);
    }
}
