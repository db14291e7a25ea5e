# @benign files_modes.py
# @what permissions, times, holes and sizes of a program's own files are kept and obeyed, as for any user but root
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=0o640 0o755 0o644\nPermissionError PermissionError\n1000000000123456789\n10485761 True\n5 b'12345'\nrefused\nrefused
import os

os.mkdir('dir')
open('plain', 'w').close()
os.chmod('plain', 0o640)
print(*(oct(os.stat(p).st_mode & 0o7777) for p in ('plain', 'dir')), end=' ')
open('second', 'w').close()
print(oct(os.stat('second').st_mode & 0o7777))

os.chmod('second', 0o000), os.chmod('dir', 0o500)
for path in ('second', 'dir/new'):
    try:
        open(path, 'r' if path == 'second' else 'w')
    except PermissionError as e:
        print(type(e).__name__, end='\n' if path != 'second' else ' ')
os.utime('plain', ns=(5, 1000000000123456789))
print(os.stat('plain').st_mtime_ns)
with open('sparse', 'wb') as f:
    f.seek(10 << 20)
    f.write(b'x')
print(os.path.getsize('sparse'), os.stat('sparse').st_blocks * 512 < 1 << 20)
with open('second_try', 'wb+') as f:
    f.write(b'1234567890')
    f.truncate(5)
    print(f.seek(0, 2), os.pread(f.fileno(), 10, 0))
for path in ('/usr/bin/env', '/etc/passwd'):
    try:
        os.close(os.open(path, os.O_WRONLY))
    except OSError:
        print('refused')
