public class Usual { record Pair(int a) { public String toString() { return "my pair"; } } public String toString() { return "my Usual " + new Pair(1) + new Compiles() + new Doubtful(); } }
class Compiles { public String toString() { return "my Compiles"; } }
class Doubtful { public String toString() { return "my Doubtful"; } }
