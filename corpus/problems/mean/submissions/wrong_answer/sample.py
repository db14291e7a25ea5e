# Divides by n - 1: another standard deviation.
import sys

n, *x = sys.stdin.read().split()
x = [float(value) for value in x]
mean = sum(x) / len(x)
print(mean, (sum((value - mean) ** 2 for value in x) / max(len(x) - 1, 1)) ** 0.5)
