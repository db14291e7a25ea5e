# @benign who_and_where.py
# @what the user is `sandbox` of the host `sandbox`, at home in /home/sandbox, at work in /box (in the sandbox)
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=sandbox sandbox sandbox\n/home/sandbox /box\nsandbox 127.0.0.1\nTrue True 0o22
import getpass
import grp
import os
import pwd
import socket

me = pwd.getpwuid(os.getuid())
print(me.pw_name, grp.getgrgid(os.getgid()).gr_name, getpass.getuser())
print(os.path.expanduser('~sandbox'), os.getcwd())
print(socket.gethostname(), socket.gethostbyname('localhost'))
mask = os.umask(0)
print(os.getuid() == os.geteuid() != 0, me.pw_dir == os.environ['HOME'], oct(mask))
