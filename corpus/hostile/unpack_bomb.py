# @hostile unpack_bomb.py
# @group mem
# @tries 64 KB of text that unpack to 4 GB in one call
# @limits cpu=10 wall=20 mem=96 procs=64 out=1 disk=64
# @expect MLE,RTE   (never an internal error)
# @severity hard
# @layer cgroup_memory
# @invariants up noproc nowrite noleft return<=23s
import bz2
once = bz2.compress(bytes(1 << 26), 9)
packed = once * 64  # many streams behind each other are one file
print('packed', len(packed), flush=True)
print(len(bz2.decompress(packed)))
