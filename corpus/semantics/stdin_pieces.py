# @benign stdin_pieces.py
# @what 10 MB of stdin in pieces: select says when, one read gives what the pipe has, the end comes once and stays
# @limits cpu=5 wall=10
# @stdin @10MB-digits
# @expect exit=0
# @expect out=10485760 True 65c402ff\nb'' ''
import os
import select
import sys
import zlib

total, crc, largest = 0, 0, 0
while True:
    select.select([0], [], [])
    piece = os.read(0, 1 << 20)
    if not piece:
        break
    total += len(piece)
    largest = max(largest, len(piece))
    crc = zlib.crc32(piece, crc)
print(total, 0 < largest <= 1 << 20, f'{crc:08x}')
print(os.read(0, 1), repr(sys.stdin.read()))
