// @benign sockets.java
// @what loopback without any network: ServerSocket, NIO selector, Unix domain socket, UDP; localhost resolves, a closed port refuses
// @limits cpu=10 wall=20 mem=512
// @expect exit=0
// @expect out=over TCP, loopback true\nrefused\nready 1, over a Unix socket\nover UDP
import java.io.*;
import java.net.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.nio.file.*;

public class Sockets {
    public static void main(String[] args) throws Exception {
        int port;
        try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getByName("127.0.0.1"))) {
            port = server.getLocalPort();
            Thread echo = new Thread(() -> {
                try (Socket s = server.accept()) {
                    s.getInputStream().transferTo(s.getOutputStream());
                } catch (IOException e) {
                    System.out.println(e);
                }
            });
            echo.start();
            try (Socket s = new Socket("localhost", port)) {
                s.getOutputStream().write("over TCP".getBytes());
                s.shutdownOutput();
                System.out.println(new String(s.getInputStream().readAllBytes()) + ", loopback "
                    + s.getInetAddress().isLoopbackAddress());
            }
            echo.join();
        }
        try { new Socket("127.0.0.1", port).close(); } catch (ConnectException e) { System.out.println("refused"); }
        UnixDomainSocketAddress at = UnixDomainSocketAddress.of("talk.sock");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
            Selector selector = Selector.open()) {
            server.bind(at).configureBlocking(false);
            server.register(selector, SelectionKey.OP_ACCEPT);
            try (SocketChannel client = SocketChannel.open(at)) {
                client.write(ByteBuffer.wrap("over a Unix socket".getBytes()));
                System.out.print("ready " + selector.select(5000) + ", ");
                ByteBuffer b = ByteBuffer.allocate(100);
                try (SocketChannel peer = server.accept()) { peer.read(b); }
                System.out.println(new String(b.array(), 0, b.position()));
            }
        }
        Files.delete(Path.of("talk.sock"));
        try (DatagramSocket a = new DatagramSocket(0, InetAddress.getLoopbackAddress());
            DatagramSocket b = new DatagramSocket()) {
            b.send(new DatagramPacket("over UDP".getBytes(), 8, a.getLocalSocketAddress()));
            DatagramPacket p = new DatagramPacket(new byte[100], 100);
            a.setSoTimeout(5000);
            a.receive(p);
            System.out.println(new String(p.getData(), 0, p.getLength()));
        }
    }
}
