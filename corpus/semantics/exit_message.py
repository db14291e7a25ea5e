# @benign exit_message.py
# @what sys.exit of a text: the text on stderr, exit code 1, through a finally that prints
# @limits cpu=5 wall=10
# @expect exit=1
# @expect out=cleaned up
# @expect stderr=no such customer: ž
import sys

try:
    sys.exit('no such customer: ž')
finally:
    print('cleaned up')
