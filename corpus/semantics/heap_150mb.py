# @benign heap_150mb.py
# @what 150 MB of touched memory under the default limit, given back, and got again; an absurd wish is a MemoryError
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=157286400 38400\nMemoryError\n157286400\nTrue
import resource

SIZE = 150 << 20
for attempt in range(2):
    block = bytearray(SIZE)
    block[::4096] = b'\1' * (SIZE // 4096)  # every page becomes real
    if attempt:
        print(len(block))
    else:
        print(len(block), sum(block[::4096]))
    del block
    if not attempt:
        try:
            bytearray(1 << 62)
        except MemoryError:
            print('MemoryError')
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >= 150 << 10)
