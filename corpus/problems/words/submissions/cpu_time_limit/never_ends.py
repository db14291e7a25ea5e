import sys

words = sys.stdin.read().split()
while words:
    words.append(words[0])
    words = words[1:]
