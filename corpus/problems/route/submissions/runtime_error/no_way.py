# Where there is none, nothing is found in the table.
from collections import deque
import sys

maze = sys.stdin.read().split("\n")
start = next((row, line.index("S")) for row, line in enumerate(maze) if "S" in line)
end = next((row, line.index("T")) for row, line in enumerate(maze) if "T" in line)
ways = {start: ""}
queue = deque([start])
while queue:
    row, column = queue.popleft()
    for step, down, right in (("N", -1, 0), ("E", 0, 1), ("S", 1, 0), ("W", 0, -1)):
        place = row + down, column + right
        if 0 <= place[0] < len(maze) and 0 <= place[1] < len(maze[place[0]]):
            if maze[place[0]][place[1]] != "#" and place not in ways:
                ways[place] = ways[row, column] + step
                queue.append(place)
print(ways[end])
