# @benign segfault_traced.py
# @what a null pointer read through ctypes is SIGSEGV; faulthandler names the line on stderr before the end
# @limits cpu=5 wall=10
# @expect signal=SIGSEGV
# @expect out=before
# @expect stderr=main.py", line 15 in poke
import ctypes
import faulthandler

faulthandler.enable()
print('before', flush=True)


def poke():
    ctypes.string_at(0)  # line 15


poke()
