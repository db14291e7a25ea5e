// @benign output_900k.java
// @what 90,000 lines with System.out.println, unbuffered as it is: 900,000 bytes, all of them, and quick enough
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect outlen=900000
public class Output900k {
    public static void main(String[] args) {
        for (int i = 0; i < 90000; i++) System.out.println(100000000 + i);
    }
}
