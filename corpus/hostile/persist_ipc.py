# @hostile persist_ipc.py
# @group fs
# @tries leaves System V shared memory, semaphores and messages, POSIX queues, abstract sockets, keys and files in /dev/shm, and looks for those of an earlier run
# @limits cpu=4 wall=10 mem=256 procs=64 out=1 disk=64
# @expect OK,RTE   (never an internal error)
# @check stdout~^end$ ; stdout!~ESCAPED
# @runs 2
# @severity hard
# @layer ipc_ns, net_ns, keyring, mount_ns
# @invariants up noproc nowrite noleft return<=13s
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
KEY, CREAT = 0x7391, 0o1000
for what, look, make in (('shared memory', lambda: libc.shmget(KEY, 4096, 0), lambda: libc.shmget(KEY, 4096, CREAT | 0o666)),
                         ('semaphores', lambda: libc.semget(KEY, 1, 0), lambda: libc.semget(KEY, 1, CREAT | 0o666)),
                         ('messages', lambda: libc.msgget(KEY, 0), lambda: libc.msgget(KEY, CREAT | 0o666)),
                         ('queue', lambda: libc.mq_open(b'/h7391', os.O_RDONLY), lambda: libc.mq_open(b'/h7391', os.O_RDWR | os.O_CREAT, 0o666, None)),
                         ('memory file', lambda: libc.shm_open(b'/h7391', os.O_RDONLY, 0), lambda: libc.shm_open(b'/h7391', os.O_RDWR | os.O_CREAT, 0o666))):
    if look() >= 0: print('ESCAPED:', what, 'of an earlier run')
    print(what, make() >= 0)
s = socket.socket(socket.AF_UNIX)
try: s.connect('\0h7391'); print('ESCAPED: abstract socket of an earlier run')
except OSError: pass
if os.fork() == 0:  # lives on, if it is let, and listens
    os.setsid(); s = socket.socket(socket.AF_UNIX); s.bind('\0h7391'); s.listen(); s.accept(); os._exit(0)
for ring in (-3, -4, -5):  # the session's, the user's, the user's session's: request_key, add_key
    if libc.syscall(249, b'user', b'h7391', None, ring) >= 0: print('ESCAPED: key of an earlier run')
    if libc.syscall(248, b'user', b'h7391', b'x', 1, ring) >= 0: print('a key in ring', ring)
print('end')
