# @hostile stack_overflow.py
# @group mem
# @tries recursion inside the interpreter's own C code, without a bound, in main thread and in a thread with a stack of 1 GB
# @limits cpu=5 wall=10 mem=64 procs=64 out=1 disk=64
# @expect RTE,MLE,TLE   (never an internal error)
# @severity hard
# @layer rlimits, cgroup_memory
# @invariants up noproc nowrite noleft return<=13s
import sys, threading
sys.setrecursionlimit(1 << 30)
class Deep:
    def __repr__(self): return repr([self])
try: threading.stack_size(1 << 30)
except ValueError: pass
thread = threading.Thread(target=lambda: repr(Deep()))
try: thread.start(); thread.join()
except RuntimeError as e: print(e, flush=True)
repr(Deep())
