# @hostile inotify_many.py
# @group snoop
# @tries inotify watches on all of /usr, thousands of them: other runs could be watched as they start, and the host has one count for root
# @limits cpu=3 wall=8 mem=256 procs=64 out=1 disk=64 ccwall=10
# @expect OK,RTE   (never an internal error)
# @check stdout!~ESCAPED
# @severity hard
# @layer user_ns
# @invariants up noproc nowrite noleft return<=11s
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
# Success looks like more than the 16 instances and 1,024 watches of a run, or fanotify and leases at all.
# That few are allowed, and see which toolchains others start, is said in SECURITY.md.
instances, watches = [], 0
for _ in range(200):
    f = libc.inotify_init1(0o4000)
    if f < 0: break
    instances.append(f)
for folder, folders, files in os.walk('/usr/lib'):
    if not instances or libc.inotify_add_watch(instances[watches % len(instances)], folder.encode(), 0xfff) < 0: break
    watches += 1
    if watches > 5000: break
print(len(instances), 'instances', watches, 'watches')
if len(instances) > 16: print('ESCAPED: more than 16 instances')
if watches > 1024: print('ESCAPED: more than 1024 watches')
import fcntl
f = os.open('/usr/bin/gcc', os.O_RDONLY)
for name, value in (('read lease', 0), ('write lease', 1)):
    try: fcntl.fcntl(f, 1024, value); print('ESCAPED:', name)  # F_SETLEASE: would hold up whoever opens the file
    except OSError as e: print(name, e.errno)
try: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB); print('ESCAPED: a write lock')
except OSError as e: print('write lock', e.errno)
