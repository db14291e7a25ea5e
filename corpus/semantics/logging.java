// @benign logging.java
// @what java.util.logging with its default settings, which lie in the JDK's configuration folder: warnings on stderr, nothing on stdout
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=handlers 1, level INFO, seen [disk low, details]
// @expect stderr=WARNING: disk low
import java.util.*;
import java.util.logging.*;

public class LoggingTour {
    public static void main(String[] args) {
        List<String> seen = new ArrayList<>();
        Logger log = Logger.getLogger("suite"), root = Logger.getLogger("");
        Handler own = new Handler() {
            public void publish(LogRecord r) { seen.add(r.getMessage()); }
            public void flush() {}
            public void close() {}
        };
        own.setLevel(Level.ALL);
        log.addHandler(own);
        log.setLevel(Level.FINE);
        log.warning("disk low");
        log.fine("details");
        log.finest("not wanted");
        System.out.println("handlers " + root.getHandlers().length + ", level " + root.getLevel() + ", seen " + seen);
    }
}
