# @benign memory_lowered.py
# @what a program may lower its own limits, and then gets MemoryError, EMFILE and EFBIG as the manual says
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=MemoryError\nEMFILE\nEFBIG 65536\nraising refused
import errno
import os
import resource
import signal

resource.setrlimit(resource.RLIMIT_AS, (768 << 20, 768 << 20))
try:
    bytearray(1 << 30)
except MemoryError:
    print('MemoryError')

resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
held = []
try:
    while True:
        held.append(os.open('/dev/null', os.O_RDONLY))
except OSError as e:
    print(errno.errorcode[e.errno])
for fd in held:
    os.close(fd)

assert signal.getsignal(signal.SIGXFSZ) is signal.SIG_IGN  # else the write below would end us
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
fd = os.open('large', os.O_CREAT | os.O_WRONLY)
try:
    while True:
        os.write(fd, bytes(4096))
except OSError as e:
    print(errno.errorcode[e.errno], os.fstat(fd).st_size)
try:
    resource.setrlimit(resource.RLIMIT_NOFILE, (33, 33))
except ValueError:
    print('raising refused')
