# @benign stdout_large.py
# @what a megabyte short of the cap in many small pieces and one large one; text and bytes keep their order
# @limits cpu=5 wall=10
# @expect exit=0
# @expect outlen=1000000
import sys

for i in range(50000):
    sys.stdout.write(f'{i:09}\n')  # 500,000 bytes
sys.stdout.flush()
sys.stdout.buffer.write(b'x' * 499990)  # one write, several times what a pipe holds
sys.stdout.buffer.flush()
print('the end.\n', end='\n')
