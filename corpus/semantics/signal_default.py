# @benign signal_default.py
# @what a signal without a handler ends the program, and is reported as that signal and not as an exit code
# @limits cpu=5 wall=10
# @expect signal=SIGUSR1
# @expect out=before
import os
import signal

print('before', flush=True)
assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
os.kill(os.getpid(), signal.SIGUSR1)
print('never')
