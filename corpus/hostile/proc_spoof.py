# @hostile proc_spoof.py
# @group sig
# @tries renames itself after init and the kernel's threads, marks itself not to be killed, moves to groups and sessions of its own, lowers its priority and works on
# @limits cpu=2 wall=4 mem=128 procs=64 out=1 disk=64
# @expect TLE,MLE,RTE   (never an internal error)
# @check stdout!~ESCAPED
# @severity hard
# @layer meter, verdict
# @invariants up noproc nowrite noleft return<=8s
import ctypes, os
libc = ctypes.CDLL(None)
for name in (b'(init)', b'x) R 1 1 1', b'a\nb', b'kworker/0:0', b'jaild', b'\xff\xfe'):
    libc.prctl(15, name, 0, 0, 0)  # PR_SET_NAME
    if os.fork() == 0: break
try:
    with open('/proc/self/oom_score_adj', 'w') as f: f.write('-1000')
    print('ESCAPED: never killed for memory', flush=True)
except OSError: pass
for call in (os.setsid, os.setpgrp, lambda: os.nice(19), lambda: os.sched_setaffinity(0, {0}), lambda: os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))):
    try: call()
    except OSError: pass
for policy in (os.SCHED_FIFO, os.SCHED_RR):
    try: os.sched_setscheduler(0, policy, os.sched_param(1)); print('ESCAPED: real time', flush=True)
    except OSError: pass
try: os.setpriority(os.PRIO_PROCESS, 0, -20); print('ESCAPED: priority', flush=True)
except OSError: pass
while True: pass
