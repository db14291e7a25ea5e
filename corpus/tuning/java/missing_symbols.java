import java.utill.List;
class Main extends Missing {
    Strin name; ArrayList<Integer> list = new ArrayList<>();
    public static void main(String[] args) { undefined(1); args.lenght(); Sistem.out.println(Math.squareRoot(2)); Main.this.x = new Scanner(System.in); String.valueOf(); }
}
