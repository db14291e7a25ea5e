# @benign locale_format.py
# @what the locale is C.UTF-8: it can be set from the environment, text is UTF-8, numbers and sorting are plain
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=C.UTF-8 utf-8 utf-8 utf-8 surrogateescape\n1234.5 '.' ''\n['B', 'a', 'é']\nno locale xx_XX.UTF-8: unsupported locale setting
import locale
import sys
import time

where = locale.setlocale(locale.LC_ALL, '')
print(where, locale.getpreferredencoding().lower(), sys.getfilesystemencoding(), sys.stdout.encoding,
      sys.stdout.errors)
conv = locale.localeconv()
print(locale.format_string('%.1f', 1234.5, grouping=True), repr(conv['decimal_point']), repr(conv['thousands_sep']))
print(sorted(['é', 'a', 'B'], key=locale.strxfrm))
try:
    locale.setlocale(locale.LC_ALL, 'xx_XX.UTF-8')
except locale.Error as e:
    print('no locale xx_XX.UTF-8:', e)
assert time.strftime('%A', time.gmtime(0)) == 'Thursday'
