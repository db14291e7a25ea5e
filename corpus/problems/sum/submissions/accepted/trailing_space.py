# Spaces at the end of a line and empty lines at the end of the output are no difference.
a, b = map(int, input().split())
print(a + b, "  \n\n")
