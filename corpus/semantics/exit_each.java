// @benign exit_each.java
// @what exit codes through System.exit and Runtime.halt, also those that look like signals; -1 would be 255
// @limits cpu=10 wall=20 mem=512
// @stdin @each:0,1,2,130,137,143,255
// @expect out=chosen
public class ExitEach {
    public static void main(String[] args) {
        int code = new java.util.Scanner(System.in).nextInt();
        System.out.println("chosen");
        if (code == 2) Runtime.getRuntime().halt(code);
        System.exit(code == 255 ? -1 : code);
    }
}
