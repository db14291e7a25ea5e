import a.A;
public class Main { public static void main(String[] args) { new A().x = 1; new a.B(); new A().p(); } }
