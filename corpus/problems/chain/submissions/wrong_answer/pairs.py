# A chain of two at the most.
import sys

_, *x = map(int, sys.stdin.read().split())
x.sort()
print(2 if any(b % a == 0 for i, a in enumerate(x) for b in x[i + 1:]) else 1)
