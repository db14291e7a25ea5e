class Main {
    static int best() {
        return "long";
    }

    public static void main(String[] args) {}
}
