# @hostile resurrect.py
# @group mem
# @tries objects that come back to life in their finalizers, each larger than before: the collector can't win
# @limits cpu=10 wall=20 mem=96 procs=64 out=1 disk=64
# @expect MLE,RTE   (never an internal error)
# @severity hard
# @layer cgroup_memory
# @invariants up noproc nowrite noleft return<=23s
import gc
alive = []
class Phoenix:
    def __init__(self, size): self.me, self.ballast = self, b'x' * size
    def __del__(self):
        alive.append(self.ballast)
        Phoenix(len(self.ballast) + 65536)
Phoenix(65536)
while True: gc.collect()
