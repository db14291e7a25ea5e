import java.nio.file.spi.FileSystemProvider;
import java.util.*;
import java.util.stream.*;
class Main {
    public static void main(String[] args) throws Exception {
        System.out.println(FileSystemProvider.installedProviders().stream().map(FileSystemProvider::getScheme).collect(Collectors.toList()));
        System.out.println(java.nio.charset.Charset.availableCharsets().size() + " " + java.security.Security.getProviders().length + Locale.getAvailableLocales().length + Locale.getDefault() + TimeZone.getDefault().getID());
        System.out.println(java.util.spi.ToolProvider.findFirst("jar").isPresent() + " " + java.security.MessageDigest.getInstance("SHA-256").getProvider() + new HexString(java.security.MessageDigest.getInstance("SHA-256").digest("x".getBytes())));
        System.setProperty("java.util.logging.SimpleFormatter.format", "%4$s: %5$s%n"); java.util.logging.Logger.getLogger("x").warning("logged");
    }
    record HexString(byte[] b) { public String toString() { return HexFormat.of().formatHex(b); } }
}
