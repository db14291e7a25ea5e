import functools
import sys

_, *x = map(int, sys.stdin.read().split())
x.sort()


@functools.cache
def best(i):
    return 1 + max((best(j) for j in range(i) if x[i] % x[j] == 0), default=0)


print(max(best(i) for i in range(len(x))))
