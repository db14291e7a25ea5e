# @benign hash_order.py
# @what hashes of text differ from run to run unless a seed is set; numbers hash the same; dictionaries keep their order
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=True True\n['z', 'a', 'm'] True\n2305843009213693951 1
import os
import subprocess
import sys


def child(seed):
    env = {**os.environ, 'PYTHONHASHSEED': seed}
    return subprocess.check_output([sys.executable, '-c', 'print(hash("text"))'], env=env)


print(child('1') == child('1') != child('2'), len({child('random') for _ in range(3)}) > 1)
print(list({'z': 1, 'a': 2, 'm': 3}), 'PYTHONHASHSEED' not in os.environ)
print(sys.hash_info.modulus, hash(sys.hash_info.modulus + 1))
