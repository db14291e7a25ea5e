import itertools

n = int(input())
best = None
for rows in itertools.permutations(range(1, n + 1)):
    # All of them, also when one was found.
    if len({row + column for column, row in enumerate(rows)}) == len({row - column for column, row in enumerate(rows)}) == n:
        best = rows
while True:
    pass
