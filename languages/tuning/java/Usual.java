// Uses what programs of learners and contestants use, once each, so that the list of the classes behind it can be
// written
// down: they go into the archive that `java` starts with. Nothing of this file itself does.

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StreamTokenizer;
import java.io.StringReader;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.DecimalFormat;
import java.time.Duration;
import java.time.LocalDate;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.*;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.*;

public class Usual {
    record Pair(int left, String right) {}

    enum Colour { RED, GREEN, BLUE }

    sealed interface Shape permits Circle, Square {}

    record Circle(double radius) implements Shape {}

    record Square(double side) implements Shape {}

    interface Visitor<T> { T visit(Node node); }

    static class Node {
        final int value;
        Node left, right;

        Node(int value) { this.value = value; }

        <T> T accept(Visitor<T> visitor) { return visitor.visit(this); }

        @Override public String toString() { return "Node(" + value + ")"; }
    }

    static class Account implements Comparable<Account>, Cloneable {
        private final String owner;
        private double balance;

        Account(String owner, double balance) { this.owner = owner; this.balance = balance; }

        synchronized void add(double amount) {
            if (amount < 0) throw new IllegalArgumentException("negative: " + amount);
            balance += amount;
        }

        @Override public int compareTo(Account other) { return owner.compareTo(other.owner); }

        @Override public boolean equals(Object o) { return o instanceof Account a && a.owner.equals(owner); }

        @Override public int hashCode() { return Objects.hash(owner, balance); }

        @Override public Account clone() throws CloneNotSupportedException { return (Account) super.clone(); }
    }

    public static void main(String[] args) throws Exception {
        input();
        text();
        formats();
        collections();
        streams();
        numbers();
        objects();
        threads();
        errors();
        files();
    }

    static void input() throws IOException {
        Scanner scanner = new Scanner("3 4.5 word true 99999999999\nthe rest of it\n7,8\n-1");
        System.out.println(scanner.nextInt() + " " + scanner.nextDouble() + " " + scanner.next() + " "
            + scanner.nextBoolean() + " " + scanner.nextLong() + " " + scanner.nextLine() + "|" + scanner.nextLine());
        scanner.useDelimiter("[,\\s]+");
        while (scanner.hasNextInt()) System.out.print(scanner.nextInt() + " ");
        System.out.println(scanner.hasNext() + " " + scanner.hasNextLine());
        try (Scanner standard = new Scanner(System.in)) {
            while (standard.hasNextLine()) System.out.println(standard.nextLine());
        }
        byte[] bytes = "5\n1 2 3\nend\n".getBytes(StandardCharsets.UTF_8);
        BufferedReader reader = new BufferedReader(new InputStreamReader(new ByteArrayInputStream(bytes)));
        int n = Integer.parseInt(reader.readLine().trim());
        StringTokenizer words = new StringTokenizer(reader.readLine());
        while (words.hasMoreTokens()) n += Integer.parseInt(words.nextToken());
        System.out.println(n + " " + reader.lines().collect(Collectors.toList()));
        StreamTokenizer tokens = new StreamTokenizer(new StringReader("1 a 2.5"));
        while (tokens.nextToken() != StreamTokenizer.TT_EOF) System.out.print(tokens.ttype + " ");
        PrintWriter out = new PrintWriter(new BufferedWriter(new OutputStreamWriter(System.out)));
        out.printf("%d %s%n", 1, "x");
        out.println(2.5);
        out.flush();
    }

    static void text() {
        StringBuilder builder = new StringBuilder("abc");
        builder.append(1).append('x').append(2.5).append(true).insert(0, "_").reverse().setCharAt(0, 'Z');
        builder.deleteCharAt(builder.length() - 1);
        System.out.println(builder + " " + builder.indexOf("x"));
        String s = "  The quick, brown fox;  jumps  ";
        System.out.println(Arrays.toString(s.trim().split("[ ,;]+")) + s.strip().toUpperCase() + s.isBlank()
            + s.replace('q', 'Q').replaceAll("[aeiou]", "*") + s.contains("fox") + s.indexOf("fox") + s.substring(3, 6)
            + String.join("-", List.of("a", "b")) + "ab".repeat(3) + "a".compareTo("b") + s.chars().sum()
            + String.valueOf(new char[] {'x', 'y'}) + "A".equalsIgnoreCase("a") + "x=1".matches("\\w=\\d"));
        char[] letters = "hello".toCharArray();
        Arrays.sort(letters);
        System.out.println(new String(letters) + Character.isDigit('1') + Character.isLetter('é')
            + Character.getNumericValue('7')
            + Character.toUpperCase('q') + (char) ('a' + 1) + "line1\nline2".lines().toList() + """
            text block %d
            """.formatted(3));
        Matcher matcher = Pattern.compile("(?<key>\\w+)=(\\d+)", Pattern.CASE_INSENSITIVE).matcher("a=1, b=22");
        while (matcher.find()) System.out.print(matcher.group("key") + ":" + matcher.group(2) + "@" + matcher.start()
            + " ");
        String word = args().isEmpty() ? "two" : "one";
        switch (word) {
            case "one": System.out.println(1); break;
            case "two": System.out.println(2); break;
            default: System.out.println(0);
        }
    }

    static List<String> args() { return new ArrayList<>(); }

    static void formats() {
        System.out.printf("%d %5d %-5d| %05d %x %o %,d %+d %c %b %s %10s %-10s| %.2f %8.3f %e %g %%%n",
            1, 2, 3, 4, 255, 8, 1234567,
            5, 'c', true, "s", "right", "left", 3.14159, 2.71828, 12345.678, 0.0001);
        System.out.println(String.format("%3$s %1$s %2$s %h %S", "a", "b", "c", "d")
            + String.format(Locale.US, "%.3f", 1.0)
            + new DecimalFormat("#,##0.00").format(1234.5) + Integer.toBinaryString(10) + Integer.toHexString(255)
            + Long.toString(35, 36) + Double.toString(0.1) + Float.parseFloat("1.5") + Double.compare(1, 2));
        System.out.println(LocalDate.of(2024, 2, 29).plusYears(1) + " " + Duration.ofSeconds(3661));
    }

    static void collections() {
        List<Integer> list = new ArrayList<>(Arrays.asList(5, 3, 1, 4));
        Collections.sort(list);
        list.sort(Comparator.reverseOrder());
        list.removeIf(x -> x > 4);
        list.add(0, 9);
        Collections.shuffle(list, new Random(1));
        Collections.reverse(list);
        for (Iterator<Integer> i = list.iterator(); i.hasNext();) if (i.next() == 3) i.remove();
        System.out.println(list + " " + Collections.max(list) + list.subList(0, 1) + Collections.unmodifiableList(list)
            + Collections.frequency(list, 1) + list.indexOf(4) + Arrays.toString(list.toArray(new Integer[0])));
        Map<String, Integer> counts = new HashMap<>();
        for (String word : "a b a c b a".split(" ")) counts.merge(word, 1, Integer::sum);
        for (Map.Entry<String, Integer> entry : counts.entrySet()) System.out.print(entry.getKey() + "="
            + entry.getValue() + " ");
        counts.putIfAbsent("z", counts.getOrDefault("y", 0));
        counts.computeIfAbsent("w", String::length);
        counts.entrySet().stream().sorted(Map.Entry.<String, Integer>comparingByValue().reversed()
            .thenComparing(Map.Entry.comparingByKey())).forEach(e -> System.out.print(e + " "));
        TreeMap<Integer, String> tree = new TreeMap<>(Map.of(1, "a", 5, "b", 9, "c"));
        System.out.println(tree.floorKey(6) + " " + tree.ceilingEntry(2) + tree.headMap(5) + tree.descendingMap()
            + tree.firstEntry());
        Set<Integer> set = new TreeSet<>(Set.of(3, 1, 2));
        Set<String> linked = new LinkedHashSet<>(List.of("x", "y"));
        set.retainAll(new HashSet<>(List.of(1, 2)));
        Map<String, List<Integer>> lists = new LinkedHashMap<>();
        lists.computeIfAbsent("k", k -> new ArrayList<>()).add(1);
        Map<Colour, Integer> colours = new EnumMap<>(Colour.class);
        colours.put(Colour.RED, 1);
        System.out.println(set + " " + linked + lists + colours + EnumSet.allOf(Colour.class)
            + Colour.valueOf("BLUE").ordinal());
        Deque<Integer> deque = new ArrayDeque<>(List.of(1, 2, 3));
        deque.push(0);
        deque.addLast(4);
        Queue<Integer> queue = new LinkedList<>(deque);
        Stack<Integer> stack = new Stack<>();
        stack.push(queue.poll());
        PriorityQueue<int[]> heap = new PriorityQueue<>((a, b) -> Integer.compare(a[1], b[1]));
        heap.add(new int[] {1, 9});
        heap.add(new int[] {2, 3});
        System.out.println(deque.pop() + " " + queue.peek() + stack.pop() + heap.poll()[0] + deque.pollLast());
        int[] numbers = {4, 2, 7};
        int[][] grid = new int[3][4];
        Arrays.sort(numbers);
        Arrays.fill(grid[1], 7);
        Integer[] boxed = {3, 1, 2};
        Arrays.sort(boxed, Collections.reverseOrder());
        System.out.println(Arrays.binarySearch(numbers, 4) + Arrays.deepToString(grid) + Arrays.asList(boxed)
            + Arrays.equals(numbers, numbers.clone()) + Arrays.toString(Arrays.copyOfRange(numbers, 1, 3))
            + Arrays.hashCode(numbers));
        BitSet bits = new BitSet(64);
        bits.set(3);
        System.out.println(bits + " " + bits.cardinality());
        try {
            for (Integer x : list) list.remove(x);
        } catch (ConcurrentModificationException e) {
            System.out.println(e);
        }
    }

    static void streams() {
        List<Pair> pairs = Stream.of("ab", "c", "def", "gh").map(s -> new Pair(s.length(),
            s)).collect(Collectors.toList());
        System.out.println("" + pairs.stream().collect(Collectors.groupingBy(Pair::left, TreeMap::new,
            Collectors.mapping(Pair::right, Collectors.joining(",", "[", "]")))));
        System.out.println("" + pairs.stream().collect(Collectors.partitioningBy(p -> p
            .left() > 1, Collectors.counting())));
        System.out.println("" + pairs.stream().collect(Collectors.toMap(Pair::right,
            Pair::left, (a, b) -> a, LinkedHashMap::new)));
        System.out.println(pairs.stream().sorted(Comparator.comparing(Pair::left)
            .thenComparing(Pair::right, Comparator.reverseOrder()))
            .map(Pair::toString).toList());
        System.out.println(IntStream.rangeClosed(1, 10).filter(x -> x % 2 == 0).mapToObj(Integer::toString)
            .collect(Collectors.joining(" ")));
        System.out.println(IntStream.range(0, 5).boxed().reduce(0, Integer::sum) + " "
            + IntStream.of(1, 2, 3).summaryStatistics()
            + Arrays.stream(new int[] {3, 4}).map(x -> x * x).sum() + DoubleStream.of(1, 2).average().getAsDouble()
            + Stream.iterate(1, x -> x * 2).limit(8).skip(2).mapToInt(Integer::intValue).max().orElse(-1)
            + LongStream.range(1, 5).reduce(1L, (a, b) -> a * b) + Stream.generate(() -> "x").limit(2).distinct()
            .count());
        System.out.println(Stream.of(List.of(1, 2), List.of(3)).flatMap(List::stream).anyMatch(x -> x == 3)
            + " " + pairs.stream().mapToInt(Pair::left).average() + pairs.stream().map(Pair::left).collect(Collectors
            .toSet())
            + Stream.of(1, 2, 3, 4).peek(x -> {}).takeWhile(x -> x < 3).findFirst()
            + "abc".chars().mapToObj(c -> (char) c).toList());
        System.out.println(pairs.stream().min(Comparator.comparingInt(Pair::left))
            .map(Pair::right).filter(s -> !s.isEmpty()).orElseThrow());
        System.out.println(pairs.parallelStream().mapToInt(Pair::left).sum());
        Function<Integer, Function<Integer, Integer>> add = a -> b -> a + b;
        BiFunction<Integer, Integer, Integer> times = (a, b) -> a * b;
        Supplier<List<String>> maker = ArrayList::new;
        UnaryOperator<String> shout = String::toUpperCase;
        Predicate<String> empty = String::isEmpty;
        Consumer<Object> print = System.out::println;
        BinaryOperator<Integer> most = BinaryOperator.maxBy(Comparator.naturalOrder());
        IntBinaryOperator gcd = Usual::gcd;
        print.andThen(x -> {}).accept(add.apply(1).apply(2) + times.andThen(x -> x + 1).apply(2, 3) + maker.get().size()
            + shout.apply("x") + empty.negate().or(s -> true).test("") + most.apply(1, 2) + gcd.applyAsInt(12, 18)
            + Optional.ofNullable((String) null).map(String::length).orElseGet(() -> 0));
    }

    static int gcd(int a, int b) { return b == 0 ? a : gcd(b, a % b); }

    static void numbers() {
        BigInteger big = BigInteger.TWO.pow(100).multiply(new BigInteger("12345678901234567890"))
            .mod(BigInteger.valueOf(1_000_000_007));
        BigDecimal exact = new BigDecimal("10").divide(new BigDecimal("3"), 5, RoundingMode.HALF_UP);
        System.out.println(big + " " + exact + big.gcd(BigInteger.TEN) + big.isProbablePrime(5)
            + big.modPow(big, BigInteger.valueOf(97)));
        System.out.println(Math.sqrt(2) + " " + Math.pow(2, 0.5) + Math.abs(-1) + Math.floorMod(-1, 3)
            + Math.round(2.5) + Math.max(1, 2)
            + Math.hypot(3, 4) + Math.sin(1) + Math.ceil(1.2) + Long.MAX_VALUE + Integer.MIN_VALUE
            + Integer.bitCount(255));
        Random random = new Random(42);
        System.out.println(random.nextInt(10) + " " + random.nextDouble() + random.nextBoolean()
            + random.ints(2, 0, 5).sum()
            + (Math.random() < 2) + (ThreadLocalRandom.current().nextInt(3) < 3)
            + (System.nanoTime() > System.currentTimeMillis()));
        try {
            System.out.println(Math.addExact(Integer.MAX_VALUE, 1));
        } catch (ArithmeticException e) {
            System.out.println(e.getMessage());
        }
    }

    static void objects() throws Exception {
        Node root = new Node(2);
        root.left = new Node(1);
        int[] sum = {0};
        root.accept(node -> sum[0] += node.value);
        Object anonymous = new Object() {
            @Override public String toString() { return "anonymous " + sum[0]; }
        };
        Account account = new Account("ann", 1);
        account.add(2);
        Shape shape = new Circle(1);
        String area = shape instanceof Circle c ? "circle " + c.radius() : "square";
        int days = switch (Colour.GREEN) {
            case RED -> 1;
            case GREEN -> 2;
            case BLUE -> { yield 3; }
        };
        System.out.println(root + " " + anonymous + account.equals(account.clone()) + account.hashCode() + area
            + days + shape
            + shape.equals(new Circle(1)) + shape.hashCode() + account.getClass().getName()
            + account.getClass().getSimpleName()
            + new Square(1) + Objects.requireNonNullElse(null, "x") + Objects.toString(null) + Objects.equals(1, 1));
        System.out.println(Account.class.getDeclaredMethod("add", double.class) + " "
            + Account.class.getDeclaredFields().length
            + Pair.class.getRecordComponents().length + Usual.class.getDeclaredConstructor().newInstance().getClass());
    }

    static void threads() throws Exception {
        AtomicInteger counter = new AtomicInteger();
        AtomicLong total = new AtomicLong();
        ReentrantLock lock = new ReentrantLock();
        Thread[] some = new Thread[2];
        for (int i = 0; i < some.length; i++) {
            some[i] = new Thread(() -> {
                lock.lock();
                try {
                    total.addAndGet(counter.incrementAndGet());
                } finally {
                    lock.unlock();
                }
            }, "worker-" + i);
            some[i].start();
        }
        for (Thread thread : some) thread.join();
        ExecutorService pool = Executors.newFixedThreadPool(2);
        Future<Integer> future = pool.submit(() -> 42);
        List<Future<Integer>> all = pool.invokeAll(List.of(() -> 1, () -> 2));
        CountDownLatch latch = new CountDownLatch(1);
        pool.execute(latch::countDown);
        latch.await(1, TimeUnit.SECONDS);
        System.out.println(future.get() + all.get(0).get() + CompletableFuture.supplyAsync(() -> 1,
            pool).thenApply(x -> x + 1).get());
        pool.shutdown();
        pool.awaitTermination(1, TimeUnit.SECONDS);
        Map<String, Integer> shared = new ConcurrentHashMap<>();
        shared.merge("a", 1, Integer::sum);
        BlockingQueue<Integer> queue = new LinkedBlockingQueue<>(4);
        queue.put(1);
        Object monitor = new Object();
        synchronized (monitor) {
            monitor.wait(1);
            monitor.notifyAll();
        }
        Thread.sleep(1);
        System.out.println(shared + " " + queue.take() + new CopyOnWriteArrayList<>(List.of(1))
            + new Semaphore(1).tryAcquire());
    }

    static class Resource implements AutoCloseable {
        @Override public void close() { throw new IllegalStateException("close"); }
    }

    static class OwnException extends Exception {
        OwnException(String message, Throwable cause) { super(message, cause); }
    }

    static void errors() {
        List<Callable<Object>> wrong = List.of(() -> new int[1][args().size()
            + 1][-1], () -> args().get(3), () -> Integer.parseInt("x1"),
            () -> 1 / args().size(), () -> ((Object) "s").equals(1) ? 1 : (Integer) (Object) "s",
                () -> new ArrayDeque<>().pop(),
            () -> List.of(1).iterator().next() == 1 ? List.of().iterator().next() : 0, () -> new int[2][args().size()
                + 5],
            () -> new int[] {1}[args().size() + 1], () -> "abc".substring(5), () -> List.of(1)
                .set(0, 2), () -> Colour.valueOf("X"),
            () -> new Scanner("x").nextInt(), () -> Objects.requireNonNull(null, "null!"),
                () -> ((String) null).length(),
            () -> { throw new OwnException("own", new UncheckedIOException(new IOException("io"))); },
            () -> { throw new StackOverflowError(); });
        StringWriter traces = new StringWriter();
        for (Callable<Object> each : wrong) {
            try {
                System.out.println(each.call());
            } catch (Exception | StackOverflowError e) {
                e.printStackTrace(new PrintWriter(traces));
                System.out.println(e.getMessage() + e.getStackTrace()[0].getLineNumber());
            } finally {
                System.out.print("");
            }
        }
        try (Resource resource = new Resource()) {
            throw new IllegalArgumentException("body");
        } catch (IllegalArgumentException e) {
            e.printStackTrace(new PrintStream(System.out));
        }
        Thread failing = new Thread(() -> { throw new IllegalStateException("not caught"); });
        failing.start();
        try {
            failing.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        System.err.println(traces.toString().length());
    }

    static void files() throws IOException {
        Path path = Path.of("usual.txt");
        Files.writeString(path, "a\nb\n");
        Files.write(path, List.of("c"));
        try (BufferedReader reader = Files.newBufferedReader(path); Stream<String> lines = Files.lines(path)) {
            System.out.println(reader.readLine() + lines.count() + Files.readAllLines(path) + Files.readString(path)
                + Files.size(path));
        }
        try (BufferedReader reader = new BufferedReader(new java.io.FileReader("usual.txt"));
             PrintWriter writer = new PrintWriter(new java.io.FileWriter("usual2.txt"))) {
            writer.println(reader.readLine());
        }
        System.out.println(Files.exists(path) + " " + Files.deleteIfExists(path)
            + new java.io.File("usual2.txt").delete());
        System.getProperty("os.name");
        System.getenv("PATH");
        Runtime.getRuntime().availableProcessors();
    }
}
