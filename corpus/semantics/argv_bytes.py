# @benign argv_bytes.py
# @what arguments, environment and file names that are not UTF-8 survive the way to a child and through a folder
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=b'caf\\xe9' b'\\xff=1'\n[b'caf\\xe9'] ['caf\\udce9'] True
import os
import subprocess
import sys

child = "import os, sys; print(os.fsencode(sys.argv[1]), os.environb[b'ODD'])"
env = {b'ODD': b'\xff=1', b'PATH': b'/usr/bin:/bin', b'LANG': b'C.UTF-8'}
print(subprocess.check_output([sys.executable, '-c', child, b'caf\xe9'], env=env).decode().strip())

os.mkdir('odd')
open(b'odd/caf\xe9', 'w').close()
names = os.listdir('odd')
print(os.listdir(b'odd'), ascii(names), os.path.exists('odd/' + names[0]))
