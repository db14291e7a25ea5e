# @benign exit_variants.py
# @what every way for an interpreter to end, told apart by its parent: codes wrap at 256, signals are negative
# @limits cpu=5 wall=15
# @expect exit=0
# @expect out=0 1 255 0 44 1 7 0 -9 -2 3 b'atexit'
import subprocess
import sys

WAYS = [
    'import sys; sys.exit()',
    'import sys; sys.exit("a message goes to stderr")',
    'import sys; sys.exit(-1)',
    'import sys; sys.exit(256)',
    'import sys; sys.exit(300)',
    'this is no program',
    'import os; print("lost"); os._exit(7)',
    'import sys, threading; threading.Thread(target=sys.exit, args=(5,)).start()',
    'import os; os.kill(os.getpid(), 9)',
    'raise KeyboardInterrupt',
    'import atexit; atexit.register(print, "atexit", end=""); raise SystemExit(3)',
]
done = [subprocess.run([sys.executable, '-c', way], capture_output=True) for way in WAYS]
print(*(d.returncode for d in done), done[-1].stdout)
assert b'a message' in done[1].stderr and done[6].stdout == b'' and b'SyntaxError' in done[5].stderr
