import collections
import sys

for word, times in sorted(collections.Counter(sys.stdin.read().split()).items()):
    print(word, times)
