import sys

n, *x = sys.stdin.read().split()
while True:
    mean = sum(map(float, x)) / len(x)
