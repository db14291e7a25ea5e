# @hostile outputs_swap.py
# @group fs
# @tries a process that outlives the program swaps each output for a link to the host's files and back, as fast as it can, while they are collected
# @limits cpu=4 wall=10 mem=256 procs=64 out=1 disk=64
# @expect OK   (never an internal error)
# @outputs *.txt
# @check stdout~^end$ ; output!~root:
# @severity hard
# @layer collector, pid_ns
# @invariants up noproc nowrite noleft return<=13s
import os
if os.fork() == 0:
    os.setsid()
    for i in range(8): os.symlink('/etc/passwd', f'link-{i}')
    while True:
        for i in range(8):
            with open(f'new-{i}', 'w') as f: f.write('mine\n')
            os.rename(f'new-{i}', f'out-{i}.txt')
            try: os.link(f'link-{i}', f'again-{i}', follow_symlinks=False); os.rename(f'again-{i}', f'out-{i}.txt')
            except OSError: pass
print('end')
