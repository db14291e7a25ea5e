// @benign streams.java
// @what grouping, flat maps, reductions, lazy evaluation seen by peek, infinite streams cut, collectors that teach texts use
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out={Helsinki=Linus, London=Ada+Alan, New York=Grace}\n45.75 of 4\nPerson[name=Grace, age=85, city=New York]\n64 [1, 2, 4, 8, 16, 32, 64]\n[a, b, c, d]\n{1=false, 2=true, 3=false, 4=true, 5=false}\n23416728348467685\nDoubleSummaryStatistics{count=4, sum=10.000000, min=1.000000, average=2.500000, max=4.000000}\n{i=4, m=1, p=2, s=4}\n9011 false\nused up
import java.util.*;
import java.util.function.*;
import java.util.stream.*;

public class StreamsTour {
    record Person(String name, int age, String city) {}

    public static void main(String[] args) {
        List<Person> all = List.of(new Person("Ada", 36, "London"), new Person("Linus", 21, "Helsinki"),
            new Person("Grace", 85, "New York"), new Person("Alan", 41, "London"));
        Map<String, String> byCity = all.stream().collect(Collectors.groupingBy(Person::city, TreeMap::new,
            Collectors.mapping(Person::name, Collectors.joining("+"))));
        System.out.println(byCity);
        String mean = all.stream().collect(Collectors.teeing(Collectors.averagingInt(Person::age),
            Collectors.counting(), (x, n) -> x + " of " + n));
        System.out.println(mean);
        System.out.println(all.stream().max(Comparator.comparing(Person::age).thenComparing(Person::name))
            .orElseThrow());
        List<Integer> seen = new ArrayList<>();
        int first = IntStream.iterate(1, x -> x * 2).peek(seen::add).filter(x -> x > 50).findFirst().getAsInt();
        System.out.println(first + " " + seen);
        System.out.println(Stream.of("b a", "d c",
            "").flatMap(s -> Arrays.stream(s.split(" "))).filter(Predicate.not(String::isEmpty)).sorted().toList());
        Map<String, Boolean> even = IntStream.rangeClosed(1,
            5).mapToObj(Integer::toString).collect(Collectors.toMap(s -> s, s -> Integer.parseInt(s) % 2 == 0,
            (x, y) -> x, LinkedHashMap::new));
        System.out.println(even);
        System.out.println(Stream.iterate(new long[] {0, 1}, f -> new long[] {f[1], f[0] + f[1]}).map(f -> f[0])
            .skip(80).findFirst().get());
        System.out.println(DoubleStream.of(1, 2, 3, 4).summaryStatistics());
        Map<Character, Long> letters = "mississippi".chars().mapToObj(c -> (char) c)
            .collect(Collectors.groupingBy(Function.identity(), TreeMap::new, Collectors.counting()));
        System.out.println(letters);
        System.out.println(IntStream.range(0, 20).boxed().takeWhile(x -> x < 12).dropWhile(x -> x < 8).reduce(0,
            (x, y) -> x * 10 + y) + " " + Stream.empty().findAny().isPresent());
        Supplier<Stream<String>> once = () -> Stream.of("x");
        Stream<String> s = once.get();
        s.count();
        try { s.count(); } catch (IllegalStateException e) { System.out.println("used up"); }
    }
}
