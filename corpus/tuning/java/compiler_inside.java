import java.nio.file.*;
import javax.tools.*;
class Main { public static void main(String[] args) throws Exception { Path p = Path.of("/tmp/T.java"); Files.writeString(p, "class T { int x = \"s\"; java.util.List l = new java.util.ArrayList(); { l.add(1); } }"); System.out.println(ToolProvider.getSystemJavaCompiler().run(null, System.out, System.out, "-Xlint:all", "-d", "/tmp", p.toString())); } }
