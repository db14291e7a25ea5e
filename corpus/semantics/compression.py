# @benign compression.py
# @what zlib, gzip, bz2, lzma, zip and tar, in memory and on disk, with times and modes
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=[True, True, True, True] True\n3610a686 11e60398\n['ž/ü.txt'] 3 None\n0o640 1000000000 True\nb'streamed' b''
import bz2
import gzip
import lzma
import os
import tarfile
import zipfile
import zlib

text = b'to be or not to be ' * 5000
kinds = (zlib, gzip, bz2, lzma)
print([k.decompress(k.compress(text)) == text for k in kinds], all(len(k.compress(text)) < 1500 for k in kinds))
print(f"{zlib.crc32(b'hello'):08x}", f"{zlib.adler32(b'Wikipedia'):08x}")
with zipfile.ZipFile('a.zip', 'w', zipfile.ZIP_DEFLATED) as z:
    z.writestr('ž/ü.txt', 'abc')
with zipfile.ZipFile('a.zip') as z:
    print(z.namelist(), len(z.read('ž/ü.txt')), z.testzip())
with open('f', 'wb') as f:
    f.write(text)
os.chmod('f', 0o640), os.utime('f', (1000000000, 1000000000))
with tarfile.open('a.tar.xz', 'w:xz') as t:
    t.add('f')
with tarfile.open('a.tar.xz') as t:
    member = t.getmember('f')
    print(oct(member.mode), int(member.mtime), t.extractfile(member).read() == text)
stream = zlib.decompressobj()
print(stream.decompress(zlib.compress(b'streamed')), stream.unused_data)
