class Main { public static void main(String[] args) { if (true) { System.out.println("x"); }
