// @benign resources.java
// @what files sent along are resources of the class path and plain files of the work folder; a service found through META-INF/services
// @limits cpu=10 wall=20 mem=512
// @file data/words.txt:"kiwi\ žluť\ plum"
// @file settings.properties:"name=value\ with\ blanks"
// @file META-INF/services/Fruit:"Plum"
// @file Plum.java:"public\ class\ Plum\ implements\ Fruit\ {\ public\ String\ taste()\ {\ return\ "sour";\ }\ }"
// @file Fruit.java:"public\ interface\ Fruit\ {\ String\ taste();\ }"
// @expect exit=0
// @expect out=[kiwi, žluť, plum]\nvalue with blanks\nkiwi žluť plum\nnull true\nsour
import java.io.*;
import java.nio.file.*;
import java.util.*;

public class Resources {
    public static void main(String[] args) throws IOException {
        try (InputStream in = Resources.class.getResourceAsStream("/data/words.txt")) {
            System.out.println(Arrays.asList(new Scanner(in).nextLine().split(" ")));
        }
        Properties p = new Properties();
        p.load(Resources.class.getClassLoader().getResourceAsStream("settings.properties"));
        System.out.println(p.getProperty("name"));
        System.out.println(Files.readString(Path.of("data", "words.txt")));
        System.out.println(Resources.class.getResource("missing") + " "
            + (Resources.class.getResource("Resources.class") != null));
        for (Fruit f : ServiceLoader.load(Fruit.class)) System.out.println(f.taste());
    }
}
