# A list in a list for each number.
import sys

n, *numbers = map(int, sys.stdin.buffer.read().split())
boxes = [[[number, str(number), [number]]] * 1 for number in numbers]
boxes = [[list(box), dict(enumerate(box))] for box in boxes for _ in range(4)]
print(len(boxes))
