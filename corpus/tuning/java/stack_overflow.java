class Main {
    static int depth;
    static void deeper() { depth++; deeper(); }
    public static void main(String[] args) {
        try { deeper(); } catch (StackOverflowError e) { System.out.println(e + " " + (depth > 5000) + " " + e.getStackTrace().length + " " + e.getStackTrace()[1000]); }
    }
}
