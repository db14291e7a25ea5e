class Main { public static void main(String[] args) { Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook"))); System.err.println("err"); System.exit(42); } }
