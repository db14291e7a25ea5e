# @hostile fd_flood.py
# @group out
# @tries raises its limit of descriptors, then opens files, pipes, sockets and epolls in 32 processes: tens of thousands together
# @limits cpu=5 wall=10 mem=256 procs=64 out=1 disk=64
# @expect OK,RTE   (never an internal error)
# @check stdout~^each \d+$ ; stdout!~ESCAPED
# @severity hard
# @layer rlimits
# @invariants up noproc nowrite noleft return<=13s
import os, resource, select, socket
for want in (1 << 20, 65536, 4096, 1024):
    try: resource.setrlimit(resource.RLIMIT_NOFILE, (want, want)); print('ESCAPED: limit is now', want, flush=True)
    except (OSError, ValueError): pass
def open_all():
    held = []
    try:
        while len(held) < 100_000: held += [open('/dev/null'), os.pipe(), socket.socket(socket.AF_UNIX), select.epoll()]
    except OSError: return held
    return held
ready = []
for _ in range(32):
    r, w = os.pipe()
    if os.fork() == 0:
        os.close(r); held = open_all(); os.write(w, b'.'); os.read(0, 1); select.select([], [], [], 2); os._exit(0)
    os.close(w); ready.append(r)
for r in ready: os.read(r, 1)
print('each', len(open_all()) * 5 // 4)
