a, b = map(int, input("Two numbers: ").split())
print(a + b)
