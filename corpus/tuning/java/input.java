import java.util.*;
class Main {
    public static void main(String[] args) {
        Scanner in = new Scanner(System.in);
        System.out.println(in.hasNextInt() ? in.nextInt() : "no number");
        in.next();
    }
}
