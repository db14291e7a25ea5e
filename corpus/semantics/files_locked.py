# @benign files_locked.py
# @what flock and lockf between processes, appends that do not overwrite each other, writes and reads at a place
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=held by another\nheld by another\n200 lines, 2 kinds\nhello brave world\n11 b'hello world'
import fcntl
import os


def in_child(work):
    if (pid := os.fork()) == 0:
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def try_lock(lock):
    with open('lock', 'w') as f:
        try:
            lock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(1, b'got it\n')
        except BlockingIOError:
            os.write(1, b'held by another\n')


for lock in (fcntl.flock, fcntl.lockf):
    with open('lock', 'w') as f:
        lock(f, fcntl.LOCK_EX)
        in_child(lambda: try_lock(lock))


def append(letter):
    fd = os.open('log', os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for _ in range(100):
        os.write(fd, letter * 9 + b'\n')


append(b'a'), in_child(lambda: append(b'b'))
lines = open('log').read().splitlines()
print(len(lines), 'lines,', len(set(lines)), 'kinds', flush=True)
fd = os.open('file', os.O_RDWR | os.O_CREAT)
os.writev(fd, [b'hello ', b'brave ', b'world'])
print(os.pread(fd, 100, 0).decode())
os.pwrite(fd, b'world', 6), os.ftruncate(fd, 11)
print(os.sendfile(os.open('copy', os.O_RDWR | os.O_CREAT), fd, 0, 11), open('copy', 'rb').read())
