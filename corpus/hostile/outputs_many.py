# @hostile outputs_many.py
# @group fs
# @tries 100,000 files, all of them asked for: their number is bounded where they are made, where they are looked at and where they come back
# @limits cpu=10 wall=20 mem=256 procs=64 out=1 disk=64
# @expect OK,RTE,MLE   (never an internal error)
# @outputs **
# @check stdout~^made \d+$ ; stdout!~ESCAPED
# @severity hard
# @layer collector, tree
# @invariants up noproc nowrite noleft return<=25s
import os
made = 0
try:
    for folder in range(100):
        os.mkdir(f'd{folder}')
        for i in range(1000):
            os.close(os.open(f'd{folder}/{i}', os.O_CREAT | os.O_WRONLY))
            made += 1
    print('ESCAPED: 100,000 files')
except OSError as e: print(e.strerror)
print('made', made, flush=True)
