import java.lang.management.*;
import java.util.*;
class Main {
    public static void main(String[] args) {
        RuntimeMXBean r = ManagementFactory.getRuntimeMXBean();
        System.out.println(r.getVmName() + r.getVmVersion() + r.getSpecVersion() + r.getClassPath() + r.getLibraryPath());
        // What nobody can hide: two arguments more. Everything else is the same.
        for (String a : r.getInputArguments()) if (!a.startsWith("-XX:SharedArchiveFile=") && !a.startsWith("-Xlog:cds=off")) System.out.println(a);
        for (GarbageCollectorMXBean b : ManagementFactory.getGarbageCollectorMXBeans()) System.out.println(b.getName());
        for (MemoryPoolMXBean b : ManagementFactory.getMemoryPoolMXBeans()) System.out.println(b.getName() + b.getUsage().getMax());
        System.out.println(Runtime.getRuntime().maxMemory() + " " + Runtime.getRuntime().totalMemory() + " " + Runtime.getRuntime().availableProcessors());
        System.out.println(ManagementFactory.getCompilationMXBean().getName() + ManagementFactory.getThreadMXBean().getThreadCount());
    }
}
