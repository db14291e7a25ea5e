# @benign own_source.py
# @what a program reads its own source, compiles and runs more of it, and starts itself again as a child
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=own_source.py\nSyntaxError line 2\n[2, 3, 5, 7]\nagain as a child, isolated 1\n1 1
import ast
import pathlib
import subprocess
import sys

if sys.argv[1:] == ['again']:
    sys.exit(f'again as a child, isolated {sys.flags.isolated}')

print(pathlib.Path(__file__).read_text(encoding='utf-8').split('\n')[0].split()[-1])
try:
    compile('x = 1\nx = = 2\n', 'made up', 'exec')
except SyntaxError as e:
    print(type(e).__name__, 'line', e.lineno)
space = {}
exec('primes = [n for n in range(2, 10) if all(n % d for d in range(2, n))]', space)
print(space['primes'])
child = subprocess.run([sys.executable, '-I', __file__, 'again'], stderr=subprocess.PIPE, text=True)
print(child.stderr.strip())
tree = ast.parse(pathlib.Path(__file__).read_bytes())
print(child.returncode, sum(isinstance(node, ast.Try) for node in ast.walk(tree)))
