# @hostile outputs_grow.py
# @group fs
# @tries ends with 0 while its children go on writing to the output file and to a pipe that they inherited
# @limits cpu=4 wall=10 mem=256 procs=64 out=1 disk=64
# @expect OK,RTE,MLE   (never an internal error)
# @outputs grow.bin
# @check stdout~^end$ ; output~^grow.bin \d+$
# @severity hard
# @layer collector, pid_ns
# @invariants up noproc nowrite noleft return<=13s body<=out+64K
import os, time
f = os.open('grow.bin', os.O_CREAT | os.O_WRONLY | os.O_APPEND)
os.write(f, b'begin\n')
for _ in range(4):
    if os.fork() == 0:
        os.setsid()
        while True:
            try: os.write(f, b'x' * 4096); os.write(2, b'still here\n'); time.sleep(0.001)
            except OSError: time.sleep(1)
print('end')
