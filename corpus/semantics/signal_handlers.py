# @benign signal_handlers.py
# @what handlers, blocked signals, timers, sigwait, and a sleep that goes on after a signal
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=SIGUSR1\npending SIGUSR2\nwaited SIGUSR2\nSIGALRM in time\nslept on True 1\nchild SIGCHLD
import os
import signal
import time

seen = []
for s in (signal.SIGUSR1, signal.SIGALRM, signal.SIGCHLD):
    signal.signal(s, lambda number, frame: seen.append(signal.Signals(number).name))

os.kill(os.getpid(), signal.SIGUSR1)
print(seen.pop())

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
signal.raise_signal(signal.SIGUSR2)
print('pending', *(s.name for s in signal.sigpending()))
print('waited', signal.Signals(signal.sigwait([signal.SIGUSR2])).name)

signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)  # again and again: the first might come before pause
while not seen:
    signal.pause()
signal.setitimer(signal.ITIMER_REAL, 0)
print(seen[0], 'in time')

seen.clear()
signal.setitimer(signal.ITIMER_REAL, 0.02)
start = time.monotonic()
time.sleep(0.1)
print('slept on', time.monotonic() - start >= 0.1, len(seen))

seen.clear()
if os.fork() == 0:
    os._exit(0)
os.wait()
print('child', *seen)
