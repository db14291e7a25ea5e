class Main {
    public static void main(String[] args) {
        String text = "Hello, " + args[0] + "!";
        System.out.println(args.length > 1 ? text.toUpperCase() : text);
    }
}
