class Größe { static String über = "ünï \u00e9 \uD83D\uDE00 日本"; }
class Main { public static void main(String[] args) { System.out.println(Größe.über + Größe.über.length() + " " + Größe.class.getName()); throw new RuntimeException("schön 日本"); } }
