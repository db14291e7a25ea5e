// @benign random_crypto.java
// @what SecureRandom does not wait, UUIDs differ, java.util.Random is fixed by its seed; digests, AES, HMAC and signatures need the JDK's security settings
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=1000 16 true\n-1170105035 63 0.6832234717598454 false 926\n[0, 1, 9, 3, 7, 4, 8, 5, 2, 6]\n1679cfd5194b8a5d d5e6cd01a2dff41bed36a7aa6ea3e6c3\n16 žluť\nca34c9f3c6532cc5 true xb5sdcWl
import java.nio.charset.StandardCharsets;
import java.security.*;
import java.util.*;
import java.util.stream.*;
import javax.crypto.*;
import javax.crypto.spec.*;

public class RandomCrypto {
    static String hex(byte[] b) { return HexFormat.of().formatHex(b); }

    public static void main(String[] args) throws Exception {
        SecureRandom s = new SecureRandom();
        Set<Long> seen = Stream.generate(s::nextLong).limit(1000).collect(Collectors.toSet());
        byte[] strong = SecureRandom.getInstance("NativePRNG").generateSeed(16);
        System.out.println(seen.size() + " " + strong.length + " " + !UUID.randomUUID().equals(UUID.randomUUID()));
        Random r = new Random(42);
        System.out.println(r.nextInt() + " " + r.nextInt(100) + " " + r.nextDouble() + " " + r.nextBoolean() + " "
            + new SplittableRandom(1).nextInt(1000));
        List<Integer> cards = IntStream.range(0, 10).boxed().collect(Collectors.toList());
        Collections.shuffle(cards, new Random(7));
        System.out.println(cards);
        byte[] text = "žluť".getBytes(StandardCharsets.UTF_8);
        System.out.println(hex(MessageDigest.getInstance("SHA-256").digest(text)).substring(0, 16) + " "
            + hex(MessageDigest.getInstance("MD5").digest(text)));
        SecretKeySpec key = new SecretKeySpec("0123456789abcdef".getBytes(), "AES");
        Cipher c = Cipher.getInstance("AES/CBC/PKCS5Padding");
        c.init(Cipher.ENCRYPT_MODE, key, new IvParameterSpec(new byte[16]));
        byte[] sealed = c.doFinal(text);
        c.init(Cipher.DECRYPT_MODE, key, new IvParameterSpec(new byte[16]));
        System.out.println(sealed.length + " " + new String(c.doFinal(sealed), StandardCharsets.UTF_8));
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(key);
        KeyPair pair = KeyPairGenerator.getInstance("EC").generateKeyPair();
        Signature sign = Signature.getInstance("SHA256withECDSA");
        sign.initSign(pair.getPrivate());
        sign.update(text);
        byte[] signature = sign.sign();
        sign.initVerify(pair.getPublic());
        sign.update(text);
        System.out.println(hex(mac.doFinal(text)).substring(0, 16) + " " + sign.verify(signature) + " "
            + Base64.getEncoder().encodeToString(text));
    }
}
