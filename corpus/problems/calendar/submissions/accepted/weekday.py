import datetime
import sys

for day in sys.stdin.read().split():
    print(datetime.date.fromisoformat(day).strftime("%A"))
