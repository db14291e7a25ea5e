# @benign memory_views.py
# @what views share memory with arrays, structures and bytearrays; a viewed bytearray can't be resized
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=[1, 2, 99] 12\n[[0, 1, 2], [3, 4, 5]] (2, 3)\nBufferError\n0x4030201 b'\\x04\\x03\\x02\\x01'\n7 b'pay' b'load'\nTrue False
import array
import ctypes
import io
import os
import struct

numbers = array.array('i', [1, 2, 3])
view = memoryview(numbers)
view[2] = 99
print(numbers.tolist(), view.nbytes)
grid = memoryview(bytes(range(6))).cast('B', (2, 3))
print(grid.tolist(), grid.shape)
data = bytearray(b'\1\2\3\4')
with memoryview(data) as held:
    try:
        data.append(5)
    except BufferError as e:
        print(type(e).__name__)
number = ctypes.c_uint32.from_buffer(data)
print(hex(number.value), struct.pack('>I', number.value))
r, w = os.pipe()
os.writev(w, [b'pay', memoryview(b'--load--')[2:6]])
head, tail = bytearray(3), bytearray(4)
print(os.readv(r, [head, tail]), bytes(head), bytes(tail))
print(hash(memoryview(b'x')) == hash(b'x'), memoryview(io.BytesIO(b'x').getbuffer()).readonly)
