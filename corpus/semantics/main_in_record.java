// @benign main_in_record.java
// @what main lives in a record
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=Main[x=1, y=2] true
public record Main(int x, int y) {
    public static void main(String[] args) {
        System.out.println(new Main(1, 2) + " " + new Main(1, 2).equals(new Main(1, 2)));
    }
}
