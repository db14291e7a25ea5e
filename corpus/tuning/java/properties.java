import java.util.*;
class Main { public static void main(String[] args) { new TreeMap<>(System.getProperties()).forEach((k, v) -> System.out.println(k + "=" + v)); new TreeMap<>(System.getenv()).forEach((k, v) -> System.out.println(k + "=" + v)); } }
