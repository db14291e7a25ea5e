// @benign main_not_public.java
// @what the class with main is not public, not called Main, and comes after others, one of which has a main of another signature
// @limits cpu=10 wall=20 mem=512
// @args x|y
// @expect exit=0
// @expect out=the right one 2
class Helper {
    static void main(int n) { System.out.println("wrong signature"); }
}

class Application {
    public static void main(String... args) { System.out.println("the right one " + args.length); }
}
