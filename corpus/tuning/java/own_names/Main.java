import pkg.Scanner;
public class Main { enum Colour { MINE } public static void main(String[] args) throws Exception { System.out.println(new Usual() + " " + new Scanner() + Colour.valueOf("MINE") + Class.forName("Usual").getDeclaredConstructor().newInstance()); Thread.currentThread().getContextClassLoader().loadClass("Compiles"); throw new Exception(new Usual().toString()); } }
