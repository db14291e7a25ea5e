// @benign references_gc.java
// @what garbage collection clears weak references, runs cleaners, feeds queues; soft references outlive it while there is room; the collector's beans answer
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=weak cleared true, queued true, map empty true\ncleaned true\nsoft kept true, collections counted true, threads true
import java.lang.management.*;
import java.lang.ref.*;
import java.util.*;
import java.util.concurrent.*;

public class ReferencesGc {
    public static void main(String[] args) throws Exception {
        ReferenceQueue<Object> queue = new ReferenceQueue<>();
        Object key = new Object();
        WeakReference<Object> weak = new WeakReference<>(key, queue);
        Map<Object, String> map = new WeakHashMap<>();
        map.put(key, "value");
        SoftReference<byte[]> soft = new SoftReference<>(new byte[1000]);
        CountDownLatch cleaned = new CountDownLatch(1);
        Object watched = new Object();
        Cleaner.create().register(watched, cleaned::countDown);
        key = null;
        watched = null;
        for (int i = 0; i < 50 && (weak.get() != null || cleaned.getCount() > 0); i++) {
            System.gc();
            cleaned.await(50, TimeUnit.MILLISECONDS);
        }
        System.out.println("weak cleared " + (weak.get() == null) + ", queued " + (queue.remove(5000) == weak)
            + ", map empty " + map.isEmpty());
        System.out.println("cleaned " + (cleaned.getCount() == 0));
        long collections = ManagementFactory.getGarbageCollectorMXBeans().stream()
            .mapToLong(GarbageCollectorMXBean::getCollectionCount).sum();
        System.out.println("soft kept " + (soft.get() != null) + ", collections counted " + (collections > 0)
            + ", threads " + (ManagementFactory.getThreadMXBean().getThreadCount() > 1));
    }
}
