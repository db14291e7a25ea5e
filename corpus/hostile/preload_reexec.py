# @hostile preload_reexec.py
# @group kern
# @tries starts interpreters again with everything in the environment that puts code into them, setuid ones too: each is still filtered, without capabilities and without a new uid
# @limits cpu=6 wall=15 mem=256 procs=64 out=1 disk=64
# @expect OK,RTE   (never an internal error)
# @check stdout~^started \d+$ ; stdout!~ESCAPED
# @severity hard
# @layer seccomp, no_new_privs
# @invariants up noproc nowrite noleft return<=18s
import os, subprocess, sys
probe = '''
import os
status = dict(l.split(":\\t", 1) for l in open("/proc/self/status").read().splitlines() if ":\\t" in l)
if status["Seccomp"] != "2" or status["NoNewPrivs"] != "1": print("ESCAPED: no filter")
if any(int(status[c], 16) for c in ("CapPrm", "CapEff", "CapInh", "CapBnd", "CapAmb")): print("ESCAPED: capabilities")
if len(set(status["Uid"].split())) > 1 or os.getuid() != %d: print("ESCAPED: uid", status["Uid"])
''' % os.getuid()
with open('startup.py', 'w') as f: f.write(probe)
with open('sitecustomize.py', 'w') as f: f.write(probe)
os.makedirs('lib', exist_ok=True)
started = 0
for extra in ({'LD_PRELOAD': '/box/lib/x.so'}, {'LD_AUDIT': '/box/lib/x.so'}, {'LD_DEBUG': 'statistics', 'LD_DEBUG_OUTPUT': '/usr/h7391'}, {'GLIBC_TUNABLES': 'glibc.malloc.check=3' * 200}, {'PYTHONPATH': '/box', 'PYTHONSTARTUP': '/box/startup.py'},
              {'GCC_EXEC_PREFIX': '/box/lib/', 'COMPILER_PATH': '/box'}, {'PYTHONINSPECT': '1', 'PYTHONHOME': ''}, {'MALLOC_TRACE': '/etc/h7391', 'RES_OPTIONS': 'debug', 'LOCPATH': '/box', 'TZ': '/proc/1/environ'}):
    r = subprocess.run([sys.executable, '-c', probe], env={**os.environ, **extra}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    started += r.returncode == 0
    print(r.stdout, end='')
for path in ('/usr/h7391', '/etc/h7391'):
    if any(name.startswith('h7391') for name in os.listdir(os.path.dirname(path))): print('ESCAPED: wrote', path)
print('started', started)
