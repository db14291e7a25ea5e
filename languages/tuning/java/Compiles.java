// Has the compiler do what it mostly does, in one process, so that the list of the classes behind it can be written
// down:
// they go into the archive that `javac` starts with. Nothing of this file itself does. Its argument is the folder of
// the
// sources.

public class Compiles {
    public static void main(String[] args) {
        String folder = args[0] + "/";
        int[] ends = {
            compile("-d", "classes", folder + "Usual.java"),
            compile("-Xlint:all", "-d", "classes", folder + "Doubtful.java"),
            compile("-d", "classes", folder + "Doubtful.java"),
            compile("-d", "classes", folder + "Wrong.java"),
            compile("-d", "classes", folder + "Syntax.java"),
            compile("--release", "11", "-g", "-parameters", "-d", "classes", folder + "Compiles.java"),
            compile("-cp", ".:classes", "-d", "classes", folder + "Compiles.java"),
        };
        // The exit codes of the compiler: 0 is well, 1 is mistakes in a source.
        int[] due = {0, 0, 0, 1, 1, 0, 0};
        if (!java.util.Arrays.equals(ends, due)) throw new AssertionError(java.util.Arrays.toString(ends));
    }

    static int compile(String... args) {
        java.util.List<String> all = new java.util.ArrayList<>(java.util.List.of("-encoding", "UTF-8", "-proc:none"));
        all.addAll(java.util.List.of(args));
        return com.sun.tools.javac.Main.compile(all.toArray(new String[0]));
    }
}
