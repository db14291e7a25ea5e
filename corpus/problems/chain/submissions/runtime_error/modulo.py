import sys

n, *x = map(int, sys.stdin.read().split())
print(n % (x[0] - x[0]))
