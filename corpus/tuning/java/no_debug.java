// flags: -g:none
class Main { static void fail(int[] a) { a[3] = 1; } public static void main(String[] args) { try { fail(null); } catch (NullPointerException e) { System.out.println(e.getMessage()); } fail(new int[1]); } }
