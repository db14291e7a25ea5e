# The fourth test is no UTF-8.
import sys

sys.stdout.write(sys.stdin.buffer.read().decode()[::-1])
