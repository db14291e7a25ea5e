class Main {
    public static void main(String[] args) {
        System.out.println(Integer.parseInt("2026-11-26"));
    }
}
