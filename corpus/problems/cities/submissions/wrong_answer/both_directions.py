# The ways go in one direction.
import heapq
import sys

n, m, *rest = map(int, sys.stdin.read().split())
ways = [[] for _ in range(n)]
for a, b, cost in zip(rest[::3], rest[1::3], rest[2::3]):
    ways[a].append((b, cost))
    ways[b].append((a, cost))
best, heap = [None] * n, [(0, 0)]
while heap:
    cost, city = heapq.heappop(heap)
    if best[city] is None:
        best[city] = cost
        for other, more in ways[city]:
            heapq.heappush(heap, (cost + more, other))
print(*(("-" if cost is None else cost) for cost in best), sep="\n")
