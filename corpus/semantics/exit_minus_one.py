# @benign exit_minus_one.py
# @what sys.exit(-1) is exit code 255, after the handlers of atexit, the last registered first, and buffered output
# @limits cpu=5 wall=10
# @expect exit=255
# @expect out=working\nsecond\nfirst
import atexit
import sys

atexit.register(print, 'first')
atexit.register(print, 'second')
sys.stdout.write('working\n')
sys.exit(-1)
