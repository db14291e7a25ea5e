// @benign exit_in_thread.java
// @what System.exit in another thread while main sleeps: shutdown hooks run, finally blocks don't, the exit code arrives
// @limits cpu=10 wall=20 mem=512
// @expect exit=7
// @expect out=main waits\nleaving\nhook
public class ExitInThread {
    public static void main(String[] args) throws Exception {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
        Thread t = new Thread(() -> {
            try {
                System.out.println("leaving");
                System.exit(7);
            } finally {
                System.out.println("never said");
            }
        });
        System.out.println("main waits");
        t.start();
        Thread.sleep(60000);
    }
}
