package pkg;
public class Scanner { public String toString() { return "my Scanner"; } }
