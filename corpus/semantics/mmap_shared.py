# @benign mmap_shared.py
# @what memory shared with a forked child, a mapped file that can be flushed and grown, and a private copy
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=written by the child 0\nb'HELLO' b'hello'\n8192 b'\\x00'\n5000 True\nTypeError
import mmap
import os

shared, private = mmap.mmap(-1, 4096), mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
if os.fork() == 0:
    shared[:20] = b'written by the child'
    private[0] = 1
    os._exit(0)
os.wait()
print(shared[:20].decode(), private[0])

with open('mapped', 'wb+') as f:
    f.write(b'hello'.ljust(4096, b'\0'))
    f.flush()
    with mmap.mmap(f.fileno(), 0) as m, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY) as copy:
        copy_before = copy[:5]
        m[:5] = b'HELLO'
        m.flush()
        print(os.pread(f.fileno(), 5, 0), copy_before)
        m.resize(8192)
        print(os.path.getsize('mapped'), m[8191:8192])
        m.seek(5000)
        m.write(b'needle')
        print(m.find(b'needle', 0), os.pread(f.fileno(), 6, 5000) == b'needle')
    with mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as read_only:
        try:
            read_only[0] = 1
        except TypeError as e:
            print(type(e).__name__)
