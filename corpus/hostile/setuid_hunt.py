# @hostile setuid_hunt.py
# @group kern
# @tries looks through the whole tree for programs that are setuid, setgid or hold capabilities, and runs those that it finds
# @limits cpu=4 wall=10 mem=256 procs=64 out=1 disk=64
# @expect OK,RTE   (never an internal error)
# @check stdout~^\d+ files$ ; stdout!~ESCAPED
# @severity hard
# @layer tree, no_new_privs
# @invariants up noproc nowrite noleft return<=13s
import os, subprocess
def gained(path):
    try: child = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError: return False
    try: return any(line.startswith(('CapPrm', 'CapEff')) and int(line.split()[1], 16) for line in open(f'/proc/{child.pid}/status'))
    finally: child.kill(); child.wait()
seen = 0
for root in ('/usr/bin', '/usr/sbin', '/usr/lib', '/usr/libexec', '/opt', '/lib64'):
    for folder, folders, files in os.walk(root):
        if folder.count('/') > 5: folders.clear()
        for name in files:
            path, seen = os.path.join(folder, name), seen + 1
            try: mode = os.lstat(path).st_mode
            except OSError: continue
            if mode & 0o6000: print('ESCAPED: setuid or setgid', oct(mode), path)
            try: held = mode & 0o111 and 'security.capability' in os.listxattr(path)
            except OSError: continue
            if held and gained(path): print('ESCAPED: capabilities from', path)
for helper in ('su', 'sudo', 'mount', 'umount', 'newgrp', 'passwd', 'chsh', 'unix_chkpwd', 'fusermount3', 'newuidmap'):
    for folder in ('/usr/bin', '/usr/sbin'):
        try: r = subprocess.run([f'{folder}/{helper}', '-c', 'id -u'], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2)
        except (OSError, subprocess.TimeoutExpired): continue
        if r.stdout.strip() == '0': print('ESCAPED: root by', helper)
print(seen, 'files')
