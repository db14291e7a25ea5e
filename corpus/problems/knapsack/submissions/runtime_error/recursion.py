import sys

n, room, *rest = map(int, sys.stdin.read().split())


def best(i, room):
    return best(i + 1, room)


print(best(0, room))
