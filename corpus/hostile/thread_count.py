# @hostile thread_count.py
# @group proc
# @tries threads until no more are to be had, counted: they are processes too
# @limits cpu=3 wall=8 mem=256 procs=32 out=1 disk=64
# @expect OK,RTE   (never an internal error)
# @check stdout~^threads \d+$ ; stdout!~ESCAPED
# @severity hard
# @layer cgroup_pids
# @invariants up noproc nowrite noleft return<=11s
import threading, time
threading.stack_size(65536)
count = 0
try:
    while count < 2000:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        count += 1
except RuntimeError: pass
if count > 32: print('ESCAPED:', count, 'threads where 32 processes were allowed')
print('threads', count, flush=True)
