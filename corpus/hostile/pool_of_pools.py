# @hostile pool_of_pools.py
# @group proc
# @tries each worker of a process pool makes a pool of its own, and starts again whatever dies
# @limits cpu=2 wall=5 mem=256 procs=32 out=1 disk=64
# @expect TLE,RTE,MLE,OK   (never an internal error)
# @severity hard
# @layer cgroup_pids
# @invariants up noproc nowrite noleft return<=8s
import multiprocessing as mp, os
mp.set_start_method('fork')
def breed(_):
    while True:
        try:
            p = mp.Process(target=breed, args=(0,))
            p.start()
        except BaseException: pass
for _ in range(4): mp.Process(target=breed, args=(0,)).start()
breed(0)
