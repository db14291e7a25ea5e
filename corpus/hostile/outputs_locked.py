# @hostile outputs_locked.py
# @group fs
# @tries makes files immutable, append-only, sealed, of mode 000, in folders of mode 000, with attributes and access lists, and its own box unreadable: all of it must go away
# @limits cpu=4 wall=10 mem=256 procs=64 out=1 disk=64
# @expect OK,RTE   (never an internal error)
# @outputs **
# @check stdout~^end$ ; stdout!~ESCAPED
# @severity hard
# @layer collector, capabilities
# @invariants up noproc nowrite noleft return<=13s
import array, fcntl, os
for i, flags in enumerate((0x10, 0x20, 0x30, 0x40000)):  # immutable, append-only, both, no copy on write
    f = os.open(f'flag-{i}', os.O_CREAT | os.O_RDWR)
    try: fcntl.ioctl(f, 0x40086602, array.array('l', [flags])); print('ESCAPED: flags' if flags & 0x30 else 'set', hex(flags))
    except OSError: pass
for name in ('user.x', 'trusted.x', 'security.capability', 'system.posix_acl_access'):
    try: os.setxattr('flag-0', name, b'\x01\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0')
    except OSError: continue
    if name in ('trusted.x', 'security.capability'): print('ESCAPED: attribute', name)
os.makedirs('locked/in/deep')
with open('locked/in/deep/file.txt', 'w') as f: f.write('x')
for path in ('locked/in/deep/file.txt', 'locked/in/deep', 'locked/in', 'locked', '/tmp', '/dev/shm', '.'):
    try: os.chmod(path, 0)
    except OSError: pass
try: os.chown('.', 0, 0); print('ESCAPED: gave the box away')
except OSError: pass
print('end')
