# In each column the first row that is free, or none: some of the queens.
n = int(input())
rows = []
for column in range(n):
    free = (row for row in range(1, n + 1) if all(o == 0 or (o != row and abs(o - row) != column - c) for c, o in enumerate(rows)))
    rows.append(next(free, 0))
print(*rows)
