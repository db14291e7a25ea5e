# @benign temp_modes.py
# @what temporary files are private, nameless or gone afterwards; /tmp, TMPDIR and /dev/shm can be written
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=/tmp 0o600 0o700\n0 links, 5 bytes\nrolled True\nFileExistsError True\nelsewhere shm
import os
import tempfile

fd, name = tempfile.mkstemp(suffix='.txt')
folder = tempfile.mkdtemp()
print(tempfile.gettempdir(), oct(os.fstat(fd).st_mode & 0o7777), oct(os.stat(folder).st_mode & 0o7777))
with tempfile.TemporaryFile() as f:
    f.write(b'12345')
    f.flush()
    print(os.fstat(f.fileno()).st_nlink, 'links,', os.fstat(f.fileno()).st_size, 'bytes')
with tempfile.SpooledTemporaryFile(max_size=10) as f:
    f.write(b'x' * 20)
    print('rolled', f._rolled)
try:
    os.open(name, os.O_CREAT | os.O_EXCL)
except FileExistsError as e:
    print(type(e).__name__, e.filename == name)
os.close(fd), os.unlink(name), os.rmdir(folder)
os.mkdir('elsewhere')
tempfile.tempdir = None
os.environ['TMPDIR'] = os.path.abspath('elsewhere')
with tempfile.NamedTemporaryFile(dir='/dev/shm') as f:
    print(os.path.basename(tempfile.gettempdir()), os.path.basename(os.path.dirname(f.name)))
