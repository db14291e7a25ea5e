# @benign unicode_names.py
# @what identifiers in many scripts are normalised (NFKC), strings are not; the source is UTF-8 whatever the locale
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=3 True False\n2 1 True False\nfinal 42 7\nSNOWMAN ☃
import unicodedata

größe = 3
ﬁnal = 'final'  # begins with the ligature U+FB01, is the same name as the plain one
数 = 42
𝔵 = 7  # MATHEMATICAL FRAKTUR SMALL X, outside the basic plane: the same name as x
print(größe, 'final' in globals(), 'ﬁnal' in globals())

decomposed, composed = 'e\u0301', 'é'
print(len(decomposed), len(composed), unicodedata.normalize('NFC', decomposed) == composed, decomposed == composed)
print(final, 数, x)  # noqa: F821
print(unicodedata.name('\N{SNOWMAN}'), '\N{SNOWMAN}')
