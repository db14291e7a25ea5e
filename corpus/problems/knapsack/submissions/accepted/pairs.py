# Only what is better than everything lighter is kept.
import sys

n, room, *rest = map(int, sys.stdin.read().split())
kept = [(0, 0)]
for weight, value in zip(rest[::2], rest[1::2]):
    more = [(w + weight, v + value) for w, v in kept if w + weight <= room]
    merged, best = [], -1
    for w, v in sorted(kept + more, key=lambda pair: (pair[0], -pair[1])):
        if v > best:
            merged.append((w, v))
            best = v
    kept = merged
print(kept[-1][1])
