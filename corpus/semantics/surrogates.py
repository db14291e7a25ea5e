# @benign surrogates.py
# @what lone surrogates: refused by UTF-8, let through by surrogatepass, made of wrong bytes by surrogateescape
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=UnicodeEncodeError surrogates not allowed\nb'\\xed\\xa0\\xbd' b'\\xff' b'\\\\ud83d'\n1 True\n{"s": "\\ud83d"} 😀
import json
import os

try:
    '\ud83d'.encode()
except UnicodeEncodeError as e:
    print(type(e).__name__, e.reason)
print('\ud83d'.encode('utf-8', 'surrogatepass'), os.fsencode('\udcff'), '\ud83d'.encode('utf-8', 'backslashreplace'))
pair = '\ud83d\ude00'.encode('utf-16', 'surrogatepass').decode('utf-16')
print(len(pair), pair == '😀')
print(json.dumps({'s': '\ud83d'}), json.loads(r'"\ud83d\ude00"'))
