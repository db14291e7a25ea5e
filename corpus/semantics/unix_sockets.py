# @benign unix_sockets.py
# @what sockets of the file system: streams, pairs, the caller's identity, a descriptor handed over
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=b'ping' b'PING'\nTrue\nb'sent along'\n[b'one', b'two'] b''
import os
import socket
import struct
import threading

server = socket.socket(socket.AF_UNIX)
server.bind('talk.sock')
server.listen()


def serve():
    peer, _ = server.accept()
    with peer:
        peer.sendall(peer.recv(16).upper())


thread = threading.Thread(target=serve)
thread.start()
with socket.socket(socket.AF_UNIX) as client:
    client.connect('talk.sock')
    client.sendall(b'ping')
    print(b'ping', client.recv(16))
thread.join()
a, b = socket.socketpair()
pid, uid, gid = struct.unpack('3i', a.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
print((pid, uid, gid) == (os.getpid(), os.getuid(), os.getgid()))
with open('file', 'wb+') as f:
    f.write(b'sent along')
    f.flush()
    socket.send_fds(a, [b'!'], [f.fileno()])
_, (fd,), _, _ = socket.recv_fds(b, 1, 1)
print(os.pread(fd, 100, 0))
c, d = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
c.send(b'one'), c.send(b'two'), c.close()
print([d.recv(100), d.recv(100)], d.recv(100))
