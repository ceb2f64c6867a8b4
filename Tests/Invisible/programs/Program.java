// Threads, exceptions, garbage, stack overflow, null checks by SIGSEGV, and a child process.
import java.util.*;
import java.util.concurrent.*;

public class Program {
    static int depth;
    static int overflow() { depth++; return overflow() + 1; }
    static long count(int n) {
        long s = 0;
        ArrayList<String> kept = new ArrayList<>();
        for (int i = 0; i < n; i++) { s = (s * 31 + i) % 1000003; if (i % 50 == 0) kept.add("k" + s); }
        return s + kept.hashCode();
    }
    public static void main(String[] a) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<Long>> all = new ArrayList<>();
        for (int i = 1; i <= 8; i++) { final int n = i * 200000; all.add(pool.submit(() -> count(n))); }
        for (Future<Long> f : all) System.out.println(f.get());
        pool.shutdown();
        int caught = 0;
        for (int i = 0; i < 200000; i++) try { String s = i % 2 == 0 ? null : "x"; caught += s.length(); } catch (NullPointerException e) { caught += 2; }
        System.out.println(caught);
        try { overflow(); } catch (StackOverflowError e) { System.out.println(depth > 1000); }
        Process p = new ProcessBuilder("/bin/sh", "-c", "echo child; exit 5").redirectErrorStream(true).start();
        System.out.println(new String(p.getInputStream().readAllBytes()).trim() + " " + p.waitFor());
        System.gc();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
        System.exit(4);
    }
}
