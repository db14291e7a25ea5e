import java.util.Scanner;

class Main {
    public static void main(String[] args) {
        Scanner in = new Scanner(System.in);
        long n = in.nextInt(), spent = 0;
        while (n > 0) spent += n++ % 7;
        System.out.println(spent);
    }
}
