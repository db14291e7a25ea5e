# @hostile init_snoop.py
# @group snoop
# @tries reads memory, environment, descriptors, root and maps of pid 1, which holds the engine's pipes, and writes to them
# @limits cpu=2 wall=6 mem=256 procs=64 out=1 disk=64
# @expect OK,RTE   (never an internal error)
# @check stdout~^end$ ; stdout!~ESCAPED
# @severity hard
# @layer uid, user_ns
# @invariants up noproc nowrite noleft return<=9s
import os
for name in ('environ', 'maps', 'smaps', 'mem', 'auxv', 'stack', 'syscall', 'io', 'pagemap', 'timers', 'personality'):
    try:
        with open(f'/proc/1/{name}', 'rb') as f: text = f.read(64)
    except OSError: continue
    if text: print('ESCAPED: read', name, 'of pid 1', text)
for name in ('root', 'cwd', 'exe', 'ns/mnt', 'ns/user', 'ns/net'):
    try: print('ESCAPED: sees', name, 'of pid 1:', os.readlink(f'/proc/1/{name}'))
    except OSError: pass
    try: print('ESCAPED: opened', name, os.open(f'/proc/1/{name}', os.O_RDONLY))
    except OSError: pass
for number in range(64):
    for how in (os.O_RDONLY, os.O_WRONLY):
        try: fd = os.open(f'/proc/1/fd/{number}', how | os.O_NONBLOCK); print('ESCAPED: descriptor', number, 'of pid 1'); os.close(fd)
        except OSError: pass
for name in ('oom_score_adj', 'mem', 'clear_refs', 'coredump_filter', 'uid_map', 'comm', 'setgroups'):
    try: open(f'/proc/1/{name}', 'r+b', 0).write(b'0'); print('ESCAPED: wrote', name, 'of pid 1')
    except OSError: pass
print('end')
