class Main {
    public static void main(String[] args) {
        int a = 5
        String s = "not closed;
        for (int i = 0; i < 3; i++ {
        }
        char c = '';
    }
