# @hostile outputs_special.py
# @group fs
# @tries leaves FIFOs, sockets, links, folders, devices and hard links where its output files are asked for: only the plain file may come back, and nothing may block
# @limits cpu=4 wall=10 mem=256 procs=64 out=1 disk=64
# @expect OK,RTE   (never an internal error)
# @outputs *.dat deep/**
# @check output~^plain.dat 6$ ; output!~root:|ESCAPED|fifo|linked ; skipped~not a regular file
# @severity hard
# @layer collector
# @invariants up noproc nowrite noleft return<=13s
# @quick yes
import os, socket
os.mkfifo('fifo.dat')
socket.socket(socket.AF_UNIX).bind('socket.dat')
for name, target in (('symlink.dat', '/etc/passwd'), ('loop.dat', 'loop.dat'), ('up.dat', '../../../../etc/passwd'), ('self.dat', '/proc/self/environ'), ('fd.dat', '/dev/stdin')): os.symlink(target, name)
os.mkdir('folder.dat')
os.symlink('/etc', 'deep')
with open('linked', 'w') as f: f.write('ESCAPED: a hard link')
os.link('linked', 'hard.dat')
for kind, major, minor in ((0o020666, 1, 3), (0o060666, 8, 0)):
    try: os.mknod(f'device-{major}.dat', kind, os.makedev(major, minor)); print('ESCAPED: made a device')
    except OSError: pass
for path in ('/etc/passwd', '/usr/bin/python3', '/proc/self/exe'):
    try: os.link(path, os.path.basename(path) + '.dat'); print('ESCAPED: linked', path)
    except OSError: pass
with open('plain.dat', 'w') as f: f.write('plain\n')
