// @benign uncaught_cause.java
// @what causes, suppressed exceptions and the helpful message of a null pointer all reach stderr
// @limits cpu=10 wall=20 mem=512
// @expect exit=1
// @expect stderr=Caused by: java.lang.NullPointerException: Cannot invoke "String.length()" because "Cause.name" is null
public class Cause implements AutoCloseable {
    static String name;

    public void close() { throw new IllegalStateException("closing failed too"); }

    public static void main(String[] args) {
        try (Cause c = new Cause()) {
            System.out.println(name.length());
        } catch (NullPointerException e) {
            if (!e.getSuppressed()[0].getMessage().equals("closing failed too")) System.exit(2);
            throw new RuntimeException("reading the name", e);
        }
    }
}
