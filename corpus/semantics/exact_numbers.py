# @benign exact_numbers.py
# @what decimals, fractions, floats and long integers to the last digit; no floating point mode is set by the way
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=0.3333333333333333333333333333333333333333 DivisionByZero\n0.30000000000000004 5e-324 0.0 nan\n3/10 1e+16 0x1.999999999999ap-4\n2 4 -4 1\n3011 True\n{"a": 1.1, "b": 123456789012345678901234567890, "c": NaN}
import decimal
import json
import math
from fractions import Fraction

with decimal.localcontext() as context:
    context.prec = 40
    third = decimal.Decimal(1) / 3
try:
    decimal.Decimal(1) / 0
except decimal.DivisionByZero as e:
    print(third, type(e).__name__)
print(0.1 + 0.2, math.ulp(0.0), math.ulp(0.0) / 2, float('inf') - float('inf'))  # denormals are not flushed to zero
print(Fraction('0.1') + Fraction('0.2'), 1e16, (0.1).hex())
print(round(2.5), round(3.5), -7 // 2, -7 % 2)
n = 2 ** 10000
print(math.floor(math.log10(n)) + 1, math.isqrt(n * n) == n and pow(3, n, 7) == pow(3, n % 6, 7))
print(json.dumps(json.loads('{"a": 1.10, "b": 123456789012345678901234567890, "c": NaN}')))
