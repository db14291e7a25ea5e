# @benign signal_start.py
# @what a program starts with no signal blocked or ignored but those that Python itself ignores
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=set() ['SIGPIPE', 'SIGXFSZ']\nTrue -13 -15
import signal
import subprocess

named = (s for s in signal.valid_signals() if isinstance(s, signal.Signals))
ignored = [s.name for s in named if signal.getsignal(s) is signal.SIG_IGN]
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), sorted(ignored))

# A shell left with an ignored SIGPIPE would have yes complain about its lost reader instead of dying quietly.
yes = subprocess.Popen(['yes'], stdout=subprocess.PIPE)
yes.stdout.readline()
yes.stdout.close()
sleeper = subprocess.Popen(['sleep', '60'])
sleeper.terminate()
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, yes.wait(), sleeper.wait())
