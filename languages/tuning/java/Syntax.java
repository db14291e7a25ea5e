// Mistakes that end a compile before it has looked at any type.
public class Syntax {
    public static void main(String[] args) {
        int a = 5
        String s = "not closed;
        for (int i = 0; i < 3; i++ {
            System.out.println(i);
        }
        if (a == ) else { }
        char c = '';
        int 2x = 3;
    }
