class Main {
    int[] numbers; Main next; String text() { return next == null ? null : "x"; }
    public static void main(String[] args) {
        Main m = new Main();
        Runnable[] all = {() -> m.numbers[1]++, () -> m.next.next = m, () -> m.text().length(), () -> { synchronized (m.next) { } },
            () -> { throw null; }, () -> { int i = (Integer) (Object) m.text(); }};
        for (Runnable r : all) try { r.run(); } catch (NullPointerException e) { System.out.println(e.getMessage()); }
        m.next.numbers[0] = 1;
    }
}
