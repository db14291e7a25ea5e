class Main {
    java.util.List<int> things;
}
