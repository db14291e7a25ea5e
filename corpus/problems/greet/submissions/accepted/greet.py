import sys

text = f"Hello, {sys.argv[1]}!"
print(text.upper() if "--loud" in sys.argv[2:] else text)
