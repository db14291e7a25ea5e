import sys

n, *x = sys.stdin.read().split()
print(sum(map(float, x)) / (len(x) - int(n)))
