import sys

n, *numbers = map(int, sys.stdin.buffer.read().split())
numbers.sort()
print(numbers[n // 2], *numbers[:-1000:1000], 0, sep="\n")
