# @benign interrupted.py
# @what an uncaught KeyboardInterrupt dies of SIGINT itself, as shells want it; a process with pid 1 could not
# @limits cpu=5 wall=10
# @expect signal=SIGINT
# @expect out=finally
# @expect stderr=KeyboardInterrupt
import signal
import time

try:
    signal.raise_signal(signal.SIGINT)
    time.sleep(5)
finally:
    print('finally')
