// @benign own_system_names.java
// @what classes named like those of java.lang, in a package and in the default one: the program's own win where Java says so, and the JDK is not confused
// @limits cpu=10 wall=20 mem=512
// @file numbers/Integer.java:"package\ numbers;\ public\ class\ Integer\ {\ private\ final\ int\ v;\ public\ Integer(int\ v)\ {\ this.v\ =\ v;\ }\ public\ Integer\ plus(Integer\ o)\ {\ return\ new\ Integer(v\ +\ o.v);\ }\ @Override\ public\ java.lang.String\ toString()\ {\ return\ "own:"\ +\ v;\ }\ }"
// @file numbers/String.java:"package\ numbers;\ public\ class\ String\ {\ public\ static\ java.lang.String\ name()\ {\ return\ String.class.getName();\ }\ }"
// @expect exit=0
// @expect out=own:5 5\nnumbers.String java.lang.String\nown exception\nThread: mine, Optional.EMPTY
import numbers.Integer;

class Exception extends RuntimeException { public java.lang.String getMessage() { return "own exception"; } }
class Thread { public java.lang.String toString() { return "mine"; } }
class Optional { static final java.lang.String EMPTY = "Optional.EMPTY"; }

public class OwnSystemNames {
    public static void main(String[] args) {
        System.out.println(new Integer(2).plus(new Integer(3)) + " " + java.lang.Integer.valueOf(5));
        System.out.println(numbers.String.name() + " " + String.class.getName());
        try {
            throw new Exception();
        } catch (Exception e) {
            System.out.println(e.getMessage());
        }
        System.out.println("Thread: " + new Thread() + ", " + Optional.EMPTY);
    }
}
