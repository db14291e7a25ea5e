# @benign file_names.py
# @what names are bytes: both normal forms are two files; newlines, emoji and 255 bytes are fine, 256 are not
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=2 ['\\xe9', 'e\\u0301']\nTrue True\nENAMETOOLONG ENOENT ENOTDIR\n['.hidden', ' ', '-rf', 'a\\nb', '🎉']
import errno
import os

os.mkdir('forms')
for name in ('\u00e9', 'e\u0301'):
    open(f'forms/{name}', 'w').close()
print(len(os.listdir('forms')), ascii(sorted(os.listdir('forms'), reverse=True)))

open('ř' * 127 + 'x', 'w').close()  # 255 bytes
print('ř' * 127 + 'x' in os.listdir(), len(os.path.abspath('ř' * 127 + 'x').encode()) > 255)
codes = []
for path in ('ř' * 128, '', 'forms/é/x'):
    try:
        open(path, 'w')
    except OSError as e:
        codes.append(errno.errorcode[e.errno])
print(*codes)

os.mkdir('odd')
for name in ('a\nb', '🎉', ' ', '-rf', '.hidden'):
    open(os.path.join('odd', name), 'x').close()
print(sorted(os.listdir('odd'), key=lambda n: (n != '.hidden', n)))
