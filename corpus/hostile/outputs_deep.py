# @hostile outputs_deep.py
# @group fs
# @tries a tree of 10,000 levels with a file at the end, and every file below it asked for: what walks it by recursion or by path falls over
# @limits cpu=8 wall=20 mem=256 procs=64 out=1 disk=64
# @expect OK,RTE,MLE   (never an internal error)
# @outputs **/end.txt */*/*/*/*/*/*/*/*/**
# @check stdout~^levels \d+$ ; output!~end.txt
# @severity hard
# @layer collector
# @invariants up noproc nowrite noleft return<=25s
import os
levels = 0
os.mkdir('top')
open('top/end.txt', 'w').close()
try:
    for levels in range(1, 10_001):  # from below: a path to the end would be too long
        os.mkdir('next')
        os.rename('top', 'next/d')
        os.rename('next', 'top')
except OSError as e: print(e.strerror)
print('levels', levels)
