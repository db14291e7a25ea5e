# @benign stdin_empty.py
# @what empty stdin is at its end at once: input() raises, reads give nothing; the streams are pipes, not terminals
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=EOFError EOF when reading a line\n'' [] b''\n[True, True, True] [False, False, False]\n(80, 24) OSError
import os
import shutil
import stat
import sys

try:
    input()
except EOFError as e:
    print('EOFError', e)
print(repr(sys.stdin.read()), list(sys.stdin), sys.stdin.buffer.read())
print([stat.S_ISFIFO(os.fstat(fd).st_mode) for fd in (0, 1, 2)], [os.isatty(fd) for fd in (0, 1, 2)])
os.environ.pop('COLUMNS', None), os.environ.pop('LINES', None)
try:
    os.get_terminal_size()
except OSError:
    print(tuple(shutil.get_terminal_size()), 'OSError')
