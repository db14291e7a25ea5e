// flags: --release=8
class Main { public static void main(String[] args) { Runnable r = () -> System.out.println("eight " + args.length); r.run(); } }
