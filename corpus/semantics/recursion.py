# @benign recursion.py
# @what endless recursion is a RecursionError that can be caught; with a raised limit 9000 deep works in the main thread
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=caught RecursionError\nstill alive\n9000\nnested too deep True
import json
import sys


def endless(n):
    return endless(n + 1) + 1


def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)


try:
    endless(0)
except RecursionError as e:
    print('caught', type(e).__name__)
print('still alive')
sys.setrecursionlimit(10000)
print(depth(9000))
try:
    json.loads('[' * 100000)
except RecursionError:
    print('nested too deep', json.loads('[' * 500 + ']' * 500) != [])
