# Every subset: right for a few things, too slow for many, and right again for the heavy ones, which are few.
import sys

n, room, *rest = map(int, sys.stdin.read().split())
things = list(zip(rest[::2], rest[1::2]))
best = 0
for subset in range(1 << n):
    weight = value = 0
    for i, (w, v) in enumerate(things):
        if subset >> i & 1:
            weight += w
            value += v
    if weight <= room:
        best = max(best, value)
print(best)
