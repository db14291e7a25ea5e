import java.util.*;
import java.util.stream.*;
class Main {
    public static void main(String[] args) throws Exception {
        for (ClassLoader l = Main.class.getClassLoader(); l != null; l = l.getParent()) System.out.println(l.getName() + l.getClass());
        System.out.println(ModuleLayer.boot().modules().stream().map(Module::getName).sorted().collect(Collectors.joining(" ")));
        System.out.println(Stream.of(Main.class.getClassLoader().getDefinedPackages()).map(Package::getName).sorted().collect(Collectors.toList()));
        System.out.println(Main.class.getResource("Main.class") + " " + String.class.getResource("String.class") + Object.class.getModule().getDescriptor().packages().size());
        System.out.println(Main.class.getProtectionDomain().getCodeSource().getLocation() + " " + Main.class.getModule().isNamed() + Main.class.getPackage());
        for (String n : new String[] {"com.sun.tools.javac.Main", "java.sql.Connection", "jdk.internal.misc.Unsafe", "Usual", "none"}) try { System.out.println(Class.forName(n).getModule()); } catch (Throwable e) { System.out.println(e); }
    }
}
