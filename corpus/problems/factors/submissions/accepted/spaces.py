# Spaces at the end of a line and empty lines at the end of the output are no difference.
n = int(input())
found = []
p = 2
while p * p <= n:
    while n % p == 0:
        found.append(p)
        n //= p
    p += 1
if n > 1:
    found.insert(0, n)
print(" \n".join(map(str, found)), end=" \n\n\n")
