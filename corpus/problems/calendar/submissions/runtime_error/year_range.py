import datetime
import sys

for day in sys.stdin.read().split():
    print(datetime.date(*map(int, day.split("-")[:2]), 31).strftime("%A"))
