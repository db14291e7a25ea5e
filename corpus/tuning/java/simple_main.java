void main() { System.out.println("no class, no static"); }
