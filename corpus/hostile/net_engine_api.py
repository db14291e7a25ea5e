# @hostile net_engine_api.py
# @group net
# @tries looks for the engine's own API by HTTP on every address a program could know: loopback, gateway, host names, Unix sockets
# @limits cpu=2 wall=8 mem=256 procs=64 out=1 disk=64 ccwall=10
# @expect OK,RTE   (never an internal error)
# @check stdout!~ESCAPED
# @severity hard
# @layer net_ns, tree
# @invariants up noproc nowrite noleft return<=11s
import os, socket
# Success looks like any HTTP answer: nothing listens in a run's own network.
addresses = {'127.0.0.1', '127.0.0.2', '::1', '0.0.0.0', '10.0.2.2', '172.17.0.1', '192.168.122.1', '192.168.0.1',
             '169.254.169.254'}
for name in ('localhost', 'host.docker.internal', 'engined', 'metadata.google.internal', socket.gethostname()):
    try: addresses |= {x[4][0] for x in socket.getaddrinfo(name, None)}
    except OSError: pass
for line in open('/proc/net/route').read().split('\n')[1:]:
    if line: print('ESCAPED: a route', line)
for address in sorted(addresses):
    for port in (80, 443, 2375, 6379, 7070, 7071, 8080, 9090, 10250):
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        try:
            with socket.socket(family) as s:
                s.settimeout(0.2); s.connect((address, port))
                s.sendall(b'GET /v1/isolation HTTP/1.1\r\nHost: localhost\r\n\r\n')
                print('ESCAPED:', address, port, s.recv(64))
        except OSError: pass
for key, value in os.environ.items():
    if '://' in value or 'sock' in value: print('ESCAPED: the environment tells', key, value)
print('end')
