# @benign trace_lines.py
# @what an uncaught error names the file and the line on stderr, through a module in a package; the code is 1
# @limits cpu=5 wall=10
# @file shop/__init__.py:""
# @file shop/prices.py:"def\ price(item):\ return\ {'tea':\ 3}[item]"
# @expect exit=1
# @expect out=tea 3
# @expect stderr=main.py", line 12, in order
from shop.prices import price

def order(item):
    print(item, price(item))  # line 12

order('tea')
order('coffee')
