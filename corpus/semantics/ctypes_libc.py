# @benign ctypes_libc.py
# @what calls into libc, errno, structures, and a callback, for which libffi needs memory that it writes and executes
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=5 True\nENOENT\n[1, 2, 3, 5, 8]\n1970 1 16\nuname Linux
import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.strlen.argtypes, libc.strlen.restype = [ctypes.c_char_p], ctypes.c_size_t
print(libc.strlen(b'hello'), libc.getpid() == os.getpid())
libc.open(b'/no/such/file', 0)
print(errno.errorcode[ctypes.get_errno()])

Compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
numbers = (ctypes.c_int * 5)(8, 3, 5, 1, 2)
libc.qsort(numbers, 5, ctypes.sizeof(ctypes.c_int), Compare(lambda a, b: a[0] - b[0]))
print(list(numbers))


class Tm(ctypes.Structure):
    _fields_ = [(n, ctypes.c_int) for n in 'sec min hour mday mon year wday yday isdst'.split()] + [
        ('gmtoff', ctypes.c_long), ('zone', ctypes.c_char_p)]


tm = Tm()
libc.gmtime_r(ctypes.byref(ctypes.c_long(0)), ctypes.byref(tm))
print(tm.year + 1900, tm.mday, Tm.mon.offset)
buffer = ctypes.create_string_buffer(65 * 6)
libc.uname(buffer)
print('uname', buffer.value.decode())
