import java.util.*;
import java.util.stream.*;
class Main {
    static List<String> frames(Set<StackWalker.Option> o) { return StackWalker.getInstance(o).walk(s -> s.map(f -> f.getClassName().replaceAll("Lambda.*|LambdaForm.*|GeneratedMethodAccessor.*", "L") + "." + f.getMethodName() + ":" + f.getLineNumber()).collect(Collectors.toList())); }
    public static void main(String[] args) throws Exception {
        Runnable r = () -> System.out.println(frames(Set.of(StackWalker.Option.SHOW_HIDDEN_FRAMES)));
        r.run();
        List.of(1).forEach(x -> System.out.println(frames(Set.of())));
        System.out.println(Stream.of(1, 2).sorted((a, b) -> { System.out.println(frames(Set.of())); return a - b; }).count());
        Main.class.getDeclaredMethod("here").invoke(null);
        new Throwable("trace").printStackTrace();
    }
    static void here() { System.out.println(frames(Set.of(StackWalker.Option.SHOW_REFLECT_FRAMES))); }
}
