# A few boxes for each number: enough for thousands, not for a million.
import sys

n, *numbers = map(int, sys.stdin.buffer.read().split())
numbers.sort()
boxes = [{"number": number, "text": str(number), "list": [number]} for number in numbers]
print(boxes[n // 2]["number"], *(box["number"] for box in boxes[::1000]), sep="\n")
