# @hostile shared_files.py
# @group snoop
# @tries two runs at once speak by locks on the toolchain's files, which are the same files for both, and see by inotify which of them the other opens
# @limits cpu=3 wall=10 mem=256 procs=64 out=1 disk=64
# @expect OK,RTE   (never an internal error)
# @check stdout!~ESCAPED
# @runs 2par
# @severity policy
# @waived every run reads the same inodes of /usr, and honest programs need flock and inotify: a channel between two runs that both want one; see SECURITY.md
# @layer mount_ns, landlock
# @invariants up noproc nowrite noleft return<=13s
import ctypes, fcntl, os, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
watch = libc.inotify_init1(os.O_NONBLOCK)
libc.inotify_add_watch(watch, os.path.realpath('/usr/bin/env').encode(), 0x20)  # IN_OPEN
lock, busy, opened = os.open('/usr/bin/env', os.O_RDONLY), False, 0
try: os.read(watch, 65536)
except OSError: pass
for turn in range(30):
    try: fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB); time.sleep(0.05); fcntl.flock(lock, fcntl.LOCK_UN)
    except OSError: busy = True
    time.sleep(0.01 * (turn % 5))
    try: opened += len(os.read(watch, 65536))
    except OSError: pass
if busy: print('ESCAPED: another run holds a lock on a file of the toolchain')
if opened: print('ESCAPED: saw another run open a file of the toolchain')
