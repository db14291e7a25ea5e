import math
import sys

n, *x = sys.stdin.read().split()
x = [float(value) for value in x]
mean = math.fsum(x) / len(x)
print(repr(mean), repr(math.sqrt(math.fsum((value - mean) ** 2 for value in x) / len(x))))
