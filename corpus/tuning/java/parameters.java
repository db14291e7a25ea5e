// flags: -g -parameters
import java.lang.reflect.*;
import java.util.*;
class Main { void two(int first, String second) { } public static void main(String[] args) throws Exception { for (Parameter p : Main.class.getDeclaredMethod("two", int.class, String.class).getParameters()) System.out.println(p); } }
