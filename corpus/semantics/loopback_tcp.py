# @benign loopback_tcp.py
# @what a server and its clients on the loopback; where nobody listens a connection is refused; datagrams too
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=3 [0, 1, 2]\nConnectionRefusedError\nb'datagram'
import socket
import socketserver
import threading


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


with Server(('127.0.0.1', 0), Echo) as server:
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    port = server.server_address[1]
    calls = [socket.create_connection(('localhost', port), 5) for _ in range(3)]
    for i, call in enumerate(calls):
        call.sendall(b'%d\n' % i)
    print(len(calls), [int(call.makefile().readline()) for call in calls])
    for call in calls:
        call.close()
    server.shutdown()
try:
    socket.create_connection(('127.0.0.1', port), 5)
except ConnectionRefusedError as e:
    print(type(e).__name__)
with socket.socket(type=socket.SOCK_DGRAM) as here, socket.socket(type=socket.SOCK_DGRAM) as there:
    there.bind(('127.0.0.1', 0))
    here.sendto(b'datagram', there.getsockname())
    print(there.recv(100))
