// @benign arithmetic.java
// @what integers wrap, shifts are masked, casts saturate, NaN and signed zero, denormals, compound assignment, char arithmetic, exact methods throw
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=-2147483648 -2147483648 2 15 -5 -3 -1 2\n2147483647 0 -56 a -9223372036854775808 4464 382\ntrue false false true Infinity 1.5\n0.0 true 0.30000000000000004 0.3 1.0E16 100.0 0.001 0x1.999999999999ap-4\n-2 2.0 2.220446049250313E-16 7.0 1.4142135623730951 5.0 -1.0\n54 13 12 3 2 -5 195 bc\n64 4294967295 -127 40 -2147483648 1 1\ninteger overflow\n/ by zero\n0.9999999999999999 1.0 false Infinity 4607182418800017408
public class Arithmetic {
    static int calls;
    static int next() { return ++calls; }

    public static void main(String[] args) {
        System.out.println((Integer.MAX_VALUE + 1) + " " + Math.abs(Integer.MIN_VALUE) + " " + (1 << 33) + " "
            + (-1 >>> 28) + " " + (-17 >> 2) + " " + -7 / 2 + " " + -7 % 3 + " " + Math.floorMod(-7, 3));
        System.out.println((int) 1e20 + " " + (int) Double.NaN + " " + (byte) 200 + " " + (char) 97 + " "
            + (long) -1e30f + " " + (short) 70000 + " " + (int) 'ž');
        System.out.println((0.0 == -0.0) + " " + Double.valueOf(0.0).equals(-0.0) + " " + (Double.NaN == Double.NaN)
            + " " + Double.valueOf(Double.NaN).equals(Double.NaN) + " " + 1 / 0.0 + " " + 5 % -3.5);
        System.out.println(Double.MIN_VALUE / 2 + " " + (Double.MIN_NORMAL / 2 > 0) + " " + (0.1 + 0.2) + " "
            + (0.1f + 0.2f) + " " + 1e16 + " " + 100.0 + " " + 0.001f + " " + Double.toHexString(0.1));
        System.out.println(Math.round(-2.5) + " " + Math.rint(2.5) + " " + Math.ulp(1.0) + " "
            + Math.fma(2.0, 3.0, 1.0) + " " + StrictMath.sqrt(2) + " " + Math.hypot(3, 4) + " " + Math.floor(-0.5));
        byte b = 10;
        b += 300;
        short s = 5;
        s *= 2.7;
        int i = 5;
        i = i++ + ++i;
        int[] a = {0, 0, 0};
        int k = 0;
        a[k++] = k++ + k;
        System.out.println(b + " " + s + " " + i + " " + a[0] + " " + k + " " + (next() - next() * next()) + " "
            + ('a' + 'b') + " " + (char) ('a' + 1) + 'c');
        System.out.println(Long.toBinaryString(-1L).length() + " " + Integer.toUnsignedString(-1) + " "
            + Integer.parseInt("-7f", 16) + " " + Long.numberOfTrailingZeros(1L << 40) + " " + Integer.reverse(1) + " "
            + Integer.compareUnsigned(-1, 1) + " " + Long.hashCode(1L << 32));
        try {
            Math.addExact(Integer.MAX_VALUE, 1);
        } catch (ArithmeticException e) {
            System.out.println(e.getMessage());
        }
        try {
            System.out.println(1 % (calls - 3));
        } catch (ArithmeticException e) {
            System.out.println(e.getMessage());
        }
        double sum = 0;
        for (int n = 0; n < 10; n++) sum += 0.1;
        System.out.println(sum + " " + (float) sum + " " + (sum == 1.0) + " " + Float.intBitsToFloat(0x7f800000) + " "
            + Double.doubleToLongBits(1.0));
    }
}
