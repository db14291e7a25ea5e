# @benign killed_unflushed.py
# @what what was flushed before a SIGKILL is kept, what lay in the buffer is lost, and the signal is told
# @limits cpu=5 wall=10
# @expect signal=SIGKILL
# @expect out_exact=flushed without a newline
# @expect stderr=stderr is never late
import os
import signal
import sys

sys.stdout.write('flushed without a newline')
sys.stdout.flush()
print('lost: stdout is a pipe, so this waits in a buffer')
print('stderr is never late', file=sys.stderr)
os.kill(os.getpid(), signal.SIGKILL)
