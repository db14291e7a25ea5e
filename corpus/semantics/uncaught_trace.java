// @benign uncaught_trace.java
// @what the stack trace of an uncaught exception names class, method, file and line of the caller's own source; exit code 1
// @limits cpu=10 wall=20 mem=512
// @expect exit=1
// @expect out=start
// @expect stderr=at Bank$Account.withdraw(Bank.java:12)
public class Bank {
    static class Account {
        private final int balance = 10;

        int withdraw(int amount) {
            if (amount > balance) throw new IllegalArgumentException("short of " + (amount - balance));
            return balance - amount;
        }
    }

    public static void main(String[] args) {
        System.out.println("start");
        System.out.println(new Account().withdraw(80));
    }
}
