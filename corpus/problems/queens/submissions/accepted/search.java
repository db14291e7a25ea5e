import java.util.Scanner;

class Main {
    static int n;
    static int[] rows;

    static boolean place(int column) {
        if (column == n) return true;
        for (int row = 1; row <= n; row++) {
            boolean free = true;
            for (int left = 0; left < column && free; left++)
                free = rows[left] != row && Math.abs(rows[left] - row) != column - left;
            rows[column] = row;
            if (free && place(column + 1)) return true;
        }
        return false;
    }

    public static void main(String[] args) {
        n = new Scanner(System.in).nextInt();
        rows = new int[n];
        place(0);
        for (int row : rows) System.out.println(row);
    }
}
