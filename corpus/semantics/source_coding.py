# @benign source_coding.py
# @what this line declares the -*- coding: latin-1 -*- of the source: every byte of its é is a character of its own
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=2 ['0xc3', '0xa9']\nкод 3
import importlib
import pathlib
import sys

text = 'é'
print(len(text), [hex(ord(c)) for c in text])

# A module in KOI8-R, found in the working directory.
sys.path.insert(0, '.')
pathlib.Path('russian.py').write_bytes(b'# coding: koi8-r\nword = "\xcb\xcf\xc4"\n')
importlib.invalidate_caches()
word = importlib.import_module('russian').word
print(word, len(word))
