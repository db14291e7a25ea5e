# Every factor once: a line is missing where one stands twice.
n = int(input())
p = 2
while p * p <= n:
    if n % p == 0:
        print(p)
    while n % p == 0:
        n //= p
    p += 1
if n > 1:
    print(n)
