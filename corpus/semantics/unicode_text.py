# @benign unicode_text.py
# @what case mapping, numerals, sorting and code points of text that is not ASCII
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=STRASSE strasse ΣΊΣΥΦΟΣ σίσυφος\n1234 ½=0.5 ²:True/False\n1 4 2 b'\\xf0\\x9d\\x84\\x9e'\n['Zug', 'apfel', 'zug', 'Ärger', 'ä']\ntxet\n   tab|äß   |
import unicodedata

print('straße'.upper(), 'Straße'.casefold(), 'Σίσυφος'.upper(), 'ΣΊΣΥΦΟΣ'.lower())
print(int('١٢٣٤'), f"½={unicodedata.numeric('½')}", f"²:{'²'.isdigit()}/{'²'.isdecimal()}")
clef = '𝄞'
print(len(clef), len(clef.encode()), len(clef.encode('utf-16-le')) // 2, clef.encode())
print(sorted(['Ärger', 'zug', 'apfel', 'Zug', 'ä']))
print('text'[::-1])
print(f"{'tab':>6}|{'äß':<5}|")
