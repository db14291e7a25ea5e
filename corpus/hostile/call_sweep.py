# @hostile call_sweep.py
# @group kern
# @tries makes every system call from 0 to 599 with arguments of zero, minus one and addresses, each in a process of its own
# @limits cpu=4 wall=30 mem=256 procs=64 out=1 disk=64 ccwall=10
# @expect OK,RTE   (never an internal error)
# @check stdout!~ESCAPED
# @severity hard
# @layer seccomp, cgroup_pids
# @invariants up noproc nowrite noleft return<=33s
import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
# Success looks like an engine error, or a process that is more afterwards than it was before.
buffer = ctypes.create_string_buffer(4096)
patterns = ((0,) * 6, (-1,) * 6, (ctypes.addressof(buffer),) * 6)
ends = {}
sys.stdout.flush()
for number in range(600):
    child = os.fork()
    if child == 0:
        for f in (0, 1, 2): os.close(f)
        os.setsid(); signal.setitimer(signal.ITIMER_REAL, 0.05)
        for arguments in patterns: libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    ends.setdefault(status, []).append(number)
for status in sorted(ends): print('status', status, 'of', len(ends[status]), ends[status][:12])
lines = dict(x.split(':', 1) for x in open('/proc/self/status').read().splitlines() if ':' in x)
if lines['Uid'].split() != ['1000'] * 4 or lines['NoNewPrivs'].strip() != '1' or int(lines['CapBnd'], 16):
    print('ESCAPED:', lines)
# Of those whom init ends (notify.rs) their parents see SIGKILL.
if len(ends.get(31, []) + ends.get(9, [])) < 20: print('ESCAPED: the filter kills fewer than the 20 calls of its list')
