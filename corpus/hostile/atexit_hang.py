# @hostile atexit_hang.py
# @group time
# @tries returns from main with success, but never gets through its exit handlers, with every signal blocked
# @limits cpu=1 wall=3 mem=256 procs=64 out=1 disk=64
# @expect TLE   (never an internal error)
# @check stdout~^done$
# @severity hard
# @layer meter
# @invariants up noproc nowrite noleft return<=6s
import atexit, signal, time
@atexit.register
def never():
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    while True:
        try: time.sleep(1000)
        except BaseException: pass
print('done', flush=True)
