# @hostile swallow_everything.py
# @group time
# @tries a handler for each signal and an except for each exception, around work that never ends
# @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64
# @expect TLE   (never an internal error)
# @severity hard
# @layer meter
# @invariants up noproc nowrite noleft return<=7s
import signal
for number in range(1, 65):
    try: signal.signal(number, lambda *_: None)
    except (OSError, ValueError): pass
def work():
    try:
        while True: sum(range(1000))
    except BaseException: pass
    finally: work()
while True:
    try: work()
    except BaseException: continue
