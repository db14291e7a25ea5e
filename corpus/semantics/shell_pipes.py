# @benign shell_pipes.py
# @what shell pipelines, statuses, a child's environment and folder, streams merged, and a time-out that kills
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=3 a 1 b\n7 -15 127 126\nout err\nsub cd=True\nTimeoutExpired -9\nABC
import os
import subprocess


def sh(command, **more):
    return subprocess.run(command, shell=True, stdout=subprocess.PIPE, text=True, **more)


print(*sh(r"printf 'b\na\na\na\n' | sort | uniq -c").stdout.split())
open('not_executable', 'w').close()
print(sh('exit 7').returncode, sh('kill -TERM $$').returncode,
      *(sh(f'{c} 2>/dev/null').returncode for c in ('no_such_program', './not_executable')))
print(*sh('echo out; echo err >&2', stderr=subprocess.STDOUT).stdout.split())
os.mkdir('sub')
inside = sh('echo "$MARK"; pwd', cwd='sub', env={**os.environ, 'MARK': 'sub'}).stdout.split()
print(inside[0], f"cd={inside[1] == os.path.realpath('sub')}")
sleeper = subprocess.Popen(['sleep', '60'])
try:
    sleeper.wait(timeout=0.05)
except subprocess.TimeoutExpired as e:
    sleeper.kill()
    print(type(e).__name__, sleeper.wait())
first = subprocess.Popen(['echo', 'abc'], stdout=subprocess.PIPE)
second = subprocess.Popen(['tr', 'a-z', 'A-Z'], stdin=first.stdout, stdout=subprocess.PIPE)
first.stdout.close()
print(second.communicate()[0].decode().strip())
