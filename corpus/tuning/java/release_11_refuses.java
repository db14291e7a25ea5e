// flags: --release=11
class Main { record Point(int x) { } public static void main(String[] args) { System.out.println(switch (args.length) { case 0 -> """
    text"""; default -> ""; }); "x".toList(); } }
