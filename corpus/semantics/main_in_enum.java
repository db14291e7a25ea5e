// @benign main_in_enum.java
// @what main lives in an enum, with the class name that is usual
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=[SPADES, HEARTS] HEARTS red
public enum Main {
    SPADES("black"), HEARTS("red");

    final String colour;

    Main(String colour) { this.colour = colour; }

    public static void main(final String[] args) {
        System.out.println(java.util.Arrays.toString(values()) + " " + valueOf("HEARTS") + " " + HEARTS.colour);
    }
}
