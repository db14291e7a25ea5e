"""Walks the way that was printed: input, answer and feedback folder come as arguments, the output on standard input."""
import os
import sys

RIGHT, WRONG = 42, 43


def close(code, message):
    with open(os.path.join(sys.argv[3], "judgemessage.txt"), "w") as file:
        file.write(message + "\n")
    with open(os.path.join(sys.argv[3], "teammessage.txt"), "w") as file:
        file.write("Your way was walked.\n" if code == RIGHT else "Your way leads nowhere.\n")
    sys.exit(code)


with open(sys.argv[1]) as file:
    maze = file.read().split("\n")
with open(sys.argv[2]) as file:
    shortest = int(file.read())
words = sys.stdin.read().split()
if len(words) != 1:
    close(WRONG, f"{len(words)} words instead of one")
way = words[0]
if way == "-":
    close(RIGHT if shortest < 0 else WRONG, f"said that there is none, the shortest has {shortest} steps")
row, column = next((row, line.index("S")) for row, line in enumerate(maze) if "S" in line)
for number, step in enumerate(way, 1):
    if step not in "NESW":
        close(WRONG, f"step {number} is {step!r}")
    row += (step == "S") - (step == "N")
    column += (step == "E") - (step == "W")
    if row < 0 or column < 0 or row >= len(maze) or column >= len(maze[row]) or maze[row][column] == "#":
        close(WRONG, f"step {number} runs into a wall")
if maze[row][column] != "T":
    close(WRONG, "it does not end at T")
if len(way) != shortest:
    close(WRONG, f"{len(way)} steps, {shortest} are enough")
close(RIGHT, f"{shortest} steps")
