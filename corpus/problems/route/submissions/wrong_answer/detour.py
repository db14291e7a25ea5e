# A way, but not a shortest one: deep before wide.
import sys

sys.setrecursionlimit(100000)
maze = sys.stdin.read().split("\n")
start = next((row, line.index("S")) for row, line in enumerate(maze) if "S" in line)
seen = set()


def walk(row, column, way):
    if not (0 <= row < len(maze) and 0 <= column < len(maze[row])) or maze[row][column] == "#" or (row, column) in seen:
        return None
    seen.add((row, column))
    if maze[row][column] == "T":
        return way
    for step, down, right in (("W", 0, -1), ("N", -1, 0), ("E", 0, 1), ("S", 1, 0)):
        found = walk(row + down, column + right, way + step)
        if found is not None:
            return found
    return None


print(walk(*start, "") or "-")
