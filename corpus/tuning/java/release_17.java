// flags: --release=17
sealed interface Shape permits Circle, Square {}
record Circle(double r) implements Shape {}
record Square(double s) implements Shape {}
class Main { public static void main(String[] args) { Shape s = new Circle(2); System.out.println(s instanceof Circle c ? c.r() * 3 : 0); System.out.println(s + " " + s.hashCode() + s.equals(new Circle(2))); } }
