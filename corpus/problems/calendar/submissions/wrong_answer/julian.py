# Every fourth year: wrong from 1900 back.
import sys

names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
for day in sys.stdin.read().split():
    y, m, d = map(int, day.split("-"))
    days = y * 365 + (y - (m < 3)) // 4 + sum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30][:m]) + d
    print(names[(days + 4) % 7])
