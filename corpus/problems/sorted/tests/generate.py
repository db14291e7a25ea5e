"""Makes large.in and large.ans beside this file: the same on every machine."""
import os

COUNT = 1_000_000

here = os.path.dirname(os.path.abspath(__file__))
state, numbers = 88172645463325252, []
for _ in range(COUNT):
    # xorshift64 (Marsaglia, Xorshift RNGs, 2003).
    state ^= state << 13 & (1 << 64) - 1
    state ^= state >> 7
    state ^= state << 17 & (1 << 64) - 1
    numbers.append(state % 2_000_000_001 - 1_000_000_000)
with open(os.path.join(here, "large.in"), "w") as file:
    file.write(f"{COUNT}\n" + "\n".join(map(str, numbers)) + "\n")
numbers.sort()
with open(os.path.join(here, "large.ans"), "w") as file:
    file.write("\n".join(map(str, [numbers[COUNT // 2], *numbers[::1000]])) + "\n")
