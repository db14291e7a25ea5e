# @hostile box_alone.py
# @group snoop
# @tries looks for anything that is not its own: other runs' boxes, expected output, engine files, in each place that can be written or is not the system's
# @limits cpu=3 wall=8 mem=256 procs=64 out=1 disk=64
# @expect OK,RTE   (never an internal error)
# @check stdout~^end$ ; stdout!~ESCAPED
# @severity hard
# @layer mount_ns, tree
# @invariants up noproc nowrite noleft return<=11s
import os
for place, own in (('/box', {'main.py'}), ('/tmp', set()), ('/dev/shm', set()), ('/home', {'sandbox'}), (os.environ.get('HOME', '/tmp'), set()), ('/var', {'tmp'}),
                   ('/run', set()), ('/mnt', set()), ('/media', set()), ('/srv', set()), ('/root', set()), ('/opt', None), ('/work', set()), ('/var/tmp', set())):
    try: names = set(os.listdir(place))
    except OSError: continue
    if own is not None and names - own: print('ESCAPED:', place, 'holds', sorted(names - own)[:5])
for way in ('..', '../..', '../../proc/1/root', '/proc/self/root/..', '/proc/self/cwd/..', '/proc/thread-self/root/../..'):
    try: names = set(os.listdir(way))
    except OSError: continue
    if names & {'var', 'root', 'boot', 'home'} and os.path.exists(os.path.join(way, 'root/.bashrc')): print('ESCAPED:', way, 'leads to the host')
with open('/proc/self/mountinfo') as f:
    for line in f:
        if any(word in line for word in ('/var/lib/engined', '/run/engined', '/root', 'upperdir=')): print('ESCAPED: mounts tell of the host:', line.strip())
print('end')
