# Columns by a rule for every n but 2 and 3 (Pauls 1874).
n = int(input())
if n == 1:
    print(1)
else:
    even, odd = list(range(2, n + 1, 2)), list(range(1, n + 1, 2))
    if n % 6 == 2:
        odd = [3, 1] + [row for row in odd if row not in (1, 3, 5)] + [5]
    elif n % 6 == 3:
        even, odd = even[1:] + [2], [row for row in odd if row not in (1, 3)] + [1, 3]
    print(*even, *odd)
