n = int(input())
p = 2
while n > 1:
    while n % p == 0:
        print(p)
        n //= p
    p += 1
