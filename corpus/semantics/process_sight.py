# @benign process_sight.py
# @what only the three streams are open, the process is nobody's first, its limits and counts of processors are sane
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=[0, 1, 2] True\nTrue True 1\n[True, True, True]\nmain.py True True\n1 T
import os
import resource
import subprocess
import sys

listing = os.open('/proc/self/fd', os.O_RDONLY)
print(sorted(int(n) for n in os.listdir(listing) if int(n) != listing and os.path.exists(f'/proc/self/fd/{n}')),
      os.getpid() > 1)
os.close(listing)
print(os.cpu_count() >= 1, len(os.sched_getaffinity(0)) >= 1, len(os.listdir('/proc/self/task')))
limits = [resource.getrlimit(getattr(resource, 'RLIMIT_' + n))[0] for n in ('NOFILE', 'STACK', 'DATA')]
print([limit == resource.RLIM_INFINITY or limit >= least for limit, least in zip(limits, (64, 4 << 20, 64 << 20))])
print(os.path.basename(__file__), os.path.dirname(os.path.abspath(__file__)) == os.getcwd(), sys.argv == ['main.py'])
stopped = subprocess.Popen(['sh', '-c', 'kill -STOP $$'])
_, status = os.waitpid(stopped.pid, os.WUNTRACED)
state = open(f'/proc/{stopped.pid}/stat').read().split()[2]
print(int(os.WIFSTOPPED(status)), state)
stopped.kill(), stopped.wait()
