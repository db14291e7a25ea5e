# @benign fork_orphans.py
# @what fork: statuses, usage, process groups and sessions, and an orphan that is taken over when its parent is gone
# @limits procs=64 cpu=5 wall=10
# @expect exit=0
# @expect out=exit 7 signal 9\nTrue\n[-15, -15]\nTrue True\nadopted: not ours any more
import os
import signal
import subprocess

if (one := os.fork()) == 0:
    os._exit(7)
if (two := os.fork()) == 0:
    signal.pause()
os.kill(two, signal.SIGKILL)
first = os.waitpid(one, 0)[1]
_, second, usage = os.wait4(two, 0)
print('exit', os.WEXITSTATUS(first), 'signal', os.WTERMSIG(second))
print(usage.ru_maxrss > 0)

leader = subprocess.Popen(['sleep', '60'], start_new_session=True)
member = subprocess.Popen(['sleep', '60'], preexec_fn=lambda: os.setpgid(0, 0))
os.killpg(leader.pid, signal.SIGTERM), os.killpg(member.pid, signal.SIGTERM)
print([leader.wait(), member.wait()])

r, w = os.pipe()
start_r, start_w = os.pipe()
if (middle := os.fork()) == 0:
    me = os.getpid()
    if os.fork() == 0:
        os.setsid()
        os.read(start_r, 1)  # comes when the parent is no more
        os.write(w, b'%d %d' % (os.getppid() != me, os.getsid(0) == os.getpid()))
        os._exit(0)
    os._exit(0)
os.close(w)
os.waitpid(middle, 0)
os.write(start_w, b'!')
print(*(bool(int(n)) for n in os.read(r, 100).split()))
try:
    os.wait()
except ChildProcessError:
    print('adopted: not ours any more')
