# @hostile persist_site.py
# @group fs
# @tries plants modules where a later Python would import them: sitecustomize, usercustomize, .pth, startup files, __pycache__ of its own and of the library
# @limits cpu=4 wall=10 mem=256 procs=64 out=1 disk=64
# @expect OK,RTE   (never an internal error)
# @check stdout~^planted \d+$ ; stdout!~ESCAPED
# @runs 2
# @severity hard
# @layer mount_ns, tree
# @invariants up noproc nowrite noleft return<=13s
import os, site, sys, sysconfig
if 'h7391_planted' in sys.modules or hasattr(sys, 'h7391_planted'): print('ESCAPED: a module of an earlier run was imported')
code, planted = 'import sys; sys.h7391_planted = True\n', 0
library = sysconfig.get_path('stdlib')
homes = [site.getusersitepackages(), *site.getsitepackages(), library, f'{library}/__pycache__', f'{library}/encodings/__pycache__', '/etc/python3', '/box', '/tmp', os.path.expanduser('~'), os.path.dirname(sys.executable)]
for home in homes:
    try: os.makedirs(home, exist_ok=True)
    except OSError: pass
    for name in ('sitecustomize.py', 'usercustomize.py', 'h7391.pth', '.pythonrc', 'pyvenv.cfg', 'os.cpython-311.pyc', '_sitebuiltins.cpython-311.pyc', 'python._pth'):
        path = os.path.join(home, name)
        try:
            with open(path, 'x') as f: f.write(code)
        except OSError: continue
        planted += 1
        if home.startswith(('/usr', '/etc')): print('ESCAPED: planted', path)
print('planted', planted)
