import java.util.*;
import java.util.stream.*;
class Main {
    public static void main(String[] args) {
        System.out.println(Stream.of("1", "2", "x").sorted(Comparator.reverseOrder()).map(Integer::parseInt).collect(Collectors.toList()));
    }
}
