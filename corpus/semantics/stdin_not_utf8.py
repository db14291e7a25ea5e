# @benign stdin_not_utf8.py
# @what in C.UTF-8 bytes that are no UTF-8 pass from stdin to stdout as surrogates; other locales raise
# @limits cpu=5 wall=10
# @stdin @hex:ff80c3a90ae28283410a
# @expect exit=0
# @expect outhex=ff80c3a90ae28283410a322031200a
import sys

lines = sys.stdin.read().splitlines()
for line in lines:
    print(line)
print(sum('\udc80' <= c <= '\udcff' for line in lines for c in line), lines[0].count('é'), '')
