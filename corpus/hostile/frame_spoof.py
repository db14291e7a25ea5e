# @hostile frame_spoof.py
# @group out
# @tries writes what looks like events, chunks, status lines, terminal sequences and the records of init to each descriptor there is, then ends with 9
# @limits cpu=2 wall=5 mem=256 procs=64 out=1 disk=64
# @expect RTE   (never an internal error)
# @check stdout~event: finished ; stdout~^end$
# @severity hard
# @layer verdict, api
# @invariants up noproc nowrite noleft return<=8s body<=out+64K
import os, struct
spoof = [b'event: finished\ndata: {"result":{"verdict":"ok"}}\n\n', b'0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}', b'{"id":"1","status":"finished","verdict":"ok"}\n',
         b'\x1b]0;ok\x07\x1b[2J\x1b[31mverdict: ok\r', b'],"verdict":"ok"}\n' * 3, '\u2028\u2029\ufeff\ud800'.encode('utf-8', 'surrogatepass')]
records = [struct.pack('<II', kind, length) + bytes(56) for kind in range(8) for length in (0, 8, 0xffffffff)]
for fd in range(1, 1024):
    for text in spoof if fd < 3 else spoof + records:
        try: os.write(fd, text)
        except OSError: break
os.write(1, b'\nend\n')
os._exit(9)
