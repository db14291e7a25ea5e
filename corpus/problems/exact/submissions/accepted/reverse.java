class Main {
    public static void main(String[] args) throws java.io.IOException {
        byte[] all = System.in.readAllBytes();
        byte[] back = new byte[all.length];
        for (int i = 0; i < all.length; i++) back[i] = all[all.length - 1 - i];
        System.out.write(back, 0, back.length);
        System.out.flush();
    }
}
