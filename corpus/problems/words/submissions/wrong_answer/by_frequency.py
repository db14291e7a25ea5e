import collections
import sys

for word, times in collections.Counter(sys.stdin.read().split()).most_common():
    print(word, times)
