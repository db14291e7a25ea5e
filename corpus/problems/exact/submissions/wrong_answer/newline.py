# One byte too much.
import sys

sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1] + b"\n")
