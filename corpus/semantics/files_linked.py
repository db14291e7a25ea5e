# @benign files_linked.py
# @what rename over a file and into another folder, hard and symbolic links, files that outlive their name
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=new 2\nIsADirectoryError ENOTEMPTY\nTrue link\nELOOP\nunlinked but readable 0\n['a', 'b']
import errno
import os


def put(path, text):
    with open(path, 'w') as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())


os.makedirs('a/deep'), os.mkdir('b')
put('a/old', 'old'), put('b/new', 'new')
os.replace('b/new', 'a/old')  # from folder to folder, over an existing file
os.link('a/old', 'b/hard')
print(open('b/hard').read(), os.stat('a/old').st_nlink)
try:
    os.replace('a/old', 'b')
except IsADirectoryError as e:
    print(type(e).__name__, end=' ')
try:
    os.rmdir('a')
except OSError as e:
    print(errno.errorcode[e.errno])
os.symlink('../a/old', 'b/soft')
os.symlink('link', 'a/link')  # to itself
print(os.path.samefile('b/soft', 'b/hard'), os.readlink('a/link'))
try:
    open('a/link')
except OSError as e:
    print(errno.errorcode[e.errno])
with open('gone', 'w+') as f:
    f.write('unlinked but readable')
    os.unlink('gone')
    f.seek(0)
    print(f.read(), os.fstat(f.fileno()).st_nlink)
print(sorted(n for n in os.listdir() if os.path.isdir(n)))
