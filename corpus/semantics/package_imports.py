# @benign package_imports.py
# @what a package of several files: relative and circular imports, reload, data files, python -m of a module in it
# @limits cpu=5 wall=10
# @file app/__init__.py:"from\ .core\ import\ answer;\ __all__\ =\ ['answer']"
# @file app/core.py:"from\ .\ import\ util;\ answer\ =\ lambda:\ util.double(21)"
# @file app/util.py:"import\ app;\ double\ =\ lambda\ n:\ n\ *\ 2;\ late\ =\ lambda:\ app.answer()"
# @file app/data/words.txt:"žluťoučký\ kůň"
# @file app/__main__.py:"import\ sys;\ from\ .\ import\ answer;\ print('as\ a\ program',\ answer(),\ sys.argv[1:])"
# @expect exit=0
# @expect out=42 42\nžluťoučký kůň\nreloaded 63\nas a program 42 ['x y']\nModuleNotFoundError nothing
import importlib
import importlib.resources
import os
import subprocess
import sys

import app
import app.util

print(app.answer(), app.util.late())
print(importlib.resources.files('app').joinpath('data/words.txt').read_text(encoding='utf-8').strip())
with open('app/util.py', 'w') as f:
    f.write('double = lambda n: n * 3  # longer than before, so that a cached .pyc is stale\n')
importlib.reload(app.util)
print('reloaded', app.answer())
with open('app/util.py', 'w') as f:
    f.write('double = lambda n: n * 2\n')
print(subprocess.check_output([sys.executable, '-m', 'app', 'x y'], text=True).strip())
try:
    import nothing
except ModuleNotFoundError as e:
    print(type(e).__name__, e.name)
assert os.path.samefile(os.path.dirname(app.__file__), 'app')
