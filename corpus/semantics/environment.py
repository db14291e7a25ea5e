# @benign environment.py
# @what the environment can be changed, is inherited, may be empty, and leads execvp to a program of the caller's own
# @limits cpu=5 wall=10
# @file bin/greet:"echo\ hello\ from\ greet\ $1"
# @expect exit=0
# @expect out=ž=1 True\nMARK unset\n0\nTrue True\nhello from greet you
import os
import subprocess
import sys

os.environ['MARK'] = 'ž=1'
print(subprocess.check_output('echo "$MARK"', shell=True).decode().strip(), os.getenvb(b'MARK') == b'\xc5\xbe=1')
del os.environ['MARK']
print(subprocess.check_output('echo MARK ${MARK-unset}', shell=True).decode().strip())
print(len(subprocess.check_output(['/usr/bin/env'], env={})))
print(os.path.isabs(sys.executable), os.path.isdir(os.path.expanduser('~')) and os.access(os.environ['HOME'], os.W_OK))

# A script of the caller's, sent without the right to run it and without a #! line: both can be mended.
os.chmod('bin/greet', 0o755)
with open('bin/greet') as f:
    body = f.read()
with open('bin/greet', 'w') as f:
    f.write('#!/bin/sh\n' + body + '\n')
os.environ['PATH'] = os.path.abspath('bin') + ':' + os.environ['PATH']
sys.stdout.flush()
os.execvp('greet', ['greet', 'you'])
