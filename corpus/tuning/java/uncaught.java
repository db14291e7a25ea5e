class Main {
    static int depth(int n) { return n == 0 ? new int[1][0].length / n : depth(n - 1) + 1; }
    public static void main(String[] args) { System.out.println("before"); System.out.println(depth(5)); }
}
