// @benign big_numbers.java
// @what BigInteger and BigDecimal: factorials, modular powers, primes, roots, rounding modes, scale and equality, exact conversion
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=2568 8530 782 994\n170141183460469231731687303715884105727 true 1 1\n-ff 1295 2 -1 10000000000000000000000000\n0.3 0.10000000000000000555 false 0\nHALF_EVEN 2 -2; HALF_UP 3 -3; FLOOR 2 -3; UP 3 -3; \nno exact quotient\n0.3333333333333333 1.41421356237309504880168872420969807857 100000 1E+2\n-9223372036854775808
import java.math.*;

public class BigNumbers {
    public static void main(String[] args) {
        BigInteger f = BigInteger.ONE;
        for (int i = 2; i <= 1000; i++) f = f.multiply(BigInteger.valueOf(i));
        System.out.println(f.toString().length() + " " + f.bitLength() + " " + f.mod(BigInteger.valueOf(1009)) + " "
            + f.getLowestSetBit());
        BigInteger p = BigInteger.TWO.pow(127).subtract(BigInteger.ONE);
        System.out.println(p + " " + p.isProbablePrime(30) + " "
            + BigInteger.valueOf(3).modPow(p.subtract(BigInteger.ONE), p) + " "
            + BigInteger.valueOf(3).modInverse(p).multiply(BigInteger.valueOf(3)).mod(p));
        System.out.println(new BigInteger("-255").toString(16) + " " + new BigInteger("zz", 36) + " "
            + BigInteger.valueOf(-7).mod(BigInteger.valueOf(3)) + " "
            + BigInteger.valueOf(-7).remainder(BigInteger.valueOf(3)) + " " + BigInteger.TEN.pow(50).sqrt());
        BigDecimal tenth = new BigDecimal("0.1");
        System.out.println(tenth.add(new BigDecimal("0.2")) + " " + new BigDecimal(0.1).toString().substring(0, 22)
            + " " + new BigDecimal("2.0").equals(new BigDecimal("2.00")) + " "
            + new BigDecimal("2.0").compareTo(new BigDecimal("2.00")));
        for (RoundingMode m : new RoundingMode[] {RoundingMode.HALF_EVEN, RoundingMode.HALF_UP, RoundingMode.FLOOR,
            RoundingMode.UP})
            System.out.print(m + " " + new BigDecimal("2.5").setScale(0, m) + " " + new BigDecimal("-2.5").setScale(0,
                m) + "; ");
        System.out.println();
        try {
            BigDecimal.ONE.divide(new BigDecimal(3));
        } catch (ArithmeticException e) {
            System.out.println("no exact quotient");
        }
        System.out.println(BigDecimal.ONE.divide(new BigDecimal(3), MathContext.DECIMAL64) + " "
            + new BigDecimal("2").sqrt(new MathContext(40)) + " " + new BigDecimal("1E+5").toPlainString() + " "
            + new BigDecimal("100").stripTrailingZeros());
        try {
            BigInteger.TWO.pow(63).longValueExact();
        } catch (ArithmeticException e) {
            System.out.println(BigInteger.TWO.pow(63).longValue());
        }
    }
}
