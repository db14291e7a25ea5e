// @benign http_server.java
// @what the JDK's own HttpServer and HttpClient on loopback: several requests at once, a body back, status codes, asynchronous answers
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=200 POST q=1 kůň\n404\nGET q=0,GET q=1,GET q=2,GET q=3,GET q=4,GET q=5,GET q=6,GET q=7,GET q=8,GET q=9,GET q=10,GET q=11,GET q=12,GET q=13,GET q=14,GET q=15,GET q=16,GET q=17,GET q=18,GET q=19
import com.sun.net.httpserver.HttpServer;
import java.net.*;
import java.net.http.*;
import java.util.concurrent.*;
import java.util.stream.*;

public class HttpLoop {
    public static void main(String[] args) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        ExecutorService workers = Executors.newFixedThreadPool(4);
        server.setExecutor(workers);
        server.createContext("/echo", e -> {
            byte[] body = (e.getRequestMethod() + " " + e.getRequestURI().getQuery() + " "
                + new String(e.getRequestBody().readAllBytes())).getBytes();
            e.sendResponseHeaders(200, body.length);
            e.getResponseBody().write(body);
            e.close();
        });
        server.start();
        String base = "http://127.0.0.1:" + server.getAddress().getPort();
        HttpClient client = HttpClient.newHttpClient();
        HttpRequest post = HttpRequest.newBuilder(URI.create(base
            + "/echo?q=1")).POST(HttpRequest.BodyPublishers.ofString("kůň")).build();
        HttpResponse<String> r = client.send(post, HttpResponse.BodyHandlers.ofString());
        System.out.println(r.statusCode() + " " + r.body());
        System.out.println(client.send(HttpRequest.newBuilder(URI.create(base + "/none")).build(),
            HttpResponse.BodyHandlers.discarding()).statusCode());
        System.out.println(IntStream.range(0,
            20).mapToObj(i -> client.sendAsync(HttpRequest.newBuilder(URI.create(base + "/echo?q=" + i)).build(),
            HttpResponse.BodyHandlers.ofString()))
            .map(CompletableFuture::join).map(HttpResponse::body).map(String::strip).collect(Collectors.joining(",")));
        server.stop(0);
        workers.shutdown();
    }
}
