# @hostile one_bytecode.py
# @group time
# @tries one operation that takes minutes inside the interpreter, where no signal handler and no timer of its own gets a turn
# @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64
# @expect TLE   (never an internal error)
# @severity hard
# @layer meter
# @invariants up noproc nowrite noleft return<=7s
import signal
signal.signal(signal.SIGALRM, lambda *_: print('never'))
signal.setitimer(signal.ITIMER_REAL, 0.2)
print((7 ** 7_000_000) ** 3 % 10)
