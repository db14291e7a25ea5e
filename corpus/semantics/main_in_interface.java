// @benign main_in_interface.java
// @what main lives in an interface, where it is public without saying so
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=from an interface hello
public interface Main {
    String WORD = "hello";

    default String say() { return "from an interface " + WORD; }

    static void main(String[] args) { System.out.println(new Main() {}.say()); }
}
