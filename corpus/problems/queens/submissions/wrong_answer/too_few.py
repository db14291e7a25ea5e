print(1)
print("and more")
