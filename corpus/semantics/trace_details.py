# @benign trace_details.py
# @what causes, contexts and the source lines of a traceback, as the program itself can read them
# @limits cpu=5 wall=10
# @file engine/__init__.py:"from\ .\ import\ part"
# @file engine/part.py:"def\ turn(n):\ return\ 1\ //\ n"
# @expect exit=0
# @expect out=[('main.py', 17, 'start'), ('part.py', 1, 'turn')]\ndef turn(n): return 1 // n\nRuntimeError from ZeroDivisionError\nTrue def start(n):
import inspect
import os
import traceback

import engine


def start(n):
    try:
        return engine.part.turn(n)
    except ZeroDivisionError as e:
        frames = traceback.extract_tb(e.__traceback__)
        print([(os.path.basename(f.filename), f.lineno, f.name) for f in frames])
        print(frames[-1].line)
        raise RuntimeError('cannot start') from e


try:
    start(0)
except RuntimeError as e:
    print(type(e).__name__, 'from', type(e.__cause__).__name__)
    text = ''.join(traceback.format_exception(type(e), e, e.__traceback__))
    print('direct cause of the following' in text, inspect.getsource(start).splitlines()[0])
