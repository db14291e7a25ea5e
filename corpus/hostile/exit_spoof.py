# @hostile exit_spoof.py
# @group out
# @tries a child tells the world that all is well and ends with 0 by os._exit, the program itself is killed: the verdict is the program's own ending
# @limits cpu=1 wall=3 mem=256 procs=64 out=1 disk=64
# @expect RTE   (never an internal error)
# @check stdout~^finished, exit code 0$ ; stdout!~ESCAPED
# @severity hard
# @layer verdict
# @invariants up noproc nowrite noleft return<=6s body<=out+64K
import os, signal
if os.fork() == 0:
    os.write(1, b'{"verdict":"ok","run":{"exit_code":0,"signal":null}}\nfinished, exit code 0\n')
    os._exit(0)
os.wait()
os.kill(os.getpid(), signal.SIGKILL)
