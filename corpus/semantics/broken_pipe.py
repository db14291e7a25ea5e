# @benign broken_pipe.py
# @what writing to a pipe that nobody reads raises BrokenPipeError; the program decides what that means
# @limits cpu=5 wall=10
# @expect exit=3
# @expect out=BrokenPipeError EPIPE\n1
import errno
import os
import subprocess
import sys

r, w = os.pipe()
os.close(r)
try:
    os.write(w, b'x')
except BrokenPipeError as e:
    print(type(e).__name__, errno.errorcode[e.errno])

head = subprocess.Popen(['head', '-n', '1'], stdin=subprocess.PIPE)
try:
    sys.stdout.flush()
    for i in range(1, 1000000):
        head.stdin.write(b'%d\n' % i)
    head.stdin.close()
except BrokenPipeError:
    head.wait()
    sys.exit(3)
