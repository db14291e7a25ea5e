# @hostile outputs_sparse.py
# @group fs
# @tries output files of a terabyte without a block on disk, one at the largest size that is allowed, many together
# @limits cpu=4 wall=10 mem=256 procs=64 out=1 disk=64
# @expect OK,RTE   (never an internal error)
# @outputs hole-*
# @check stdout~^made \d+$ ; stdout!~ESCAPED
# @severity hard
# @layer rlimits, collector
# @invariants up noproc nowrite noleft return<=13s
import os, resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
most, made = resource.getrlimit(resource.RLIMIT_FSIZE)[0], 0
for i, size in enumerate([1 << 40, 1 << 33, 1 << 30] + [most] * 20):
    with open(f'hole-{i}', 'wb') as f:
        try: f.truncate(size); made += 1
        except OSError: continue
        if size > most >= 0 or most < 0: print('ESCAPED: a file of', size)
print('made', made)
