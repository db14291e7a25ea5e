# @benign time_zones.py
# @what the zone is UTC until the program sets another; the zone database is there, with gaps, folds and old offsets
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=('UTC', 'UTC') 0\n2024-03-31 03:30 CEST\n02:30 CEST 02:30 CET\n-1 day, 19:04:00 LMT\n('EST', 'EDT') 18000\nTrue NoSuchZone
import os
import time
import zoneinfo
from datetime import datetime, timedelta, timezone

print(time.tzname, time.timezone)
prague = zoneinfo.ZoneInfo('Europe/Prague')
spring = datetime(2024, 3, 31, 1, 30, tzinfo=timezone.utc).astimezone(prague)
print(spring.strftime('%Y-%m-%d %H:%M %Z'))
autumn = [datetime(2024, 10, 27, 2, 30, fold=fold, tzinfo=prague) for fold in (0, 1)]
print(*(d.strftime('%H:%M %Z') for d in autumn))
old = datetime(1880, 1, 1, tzinfo=zoneinfo.ZoneInfo('America/New_York'))
print(timedelta(seconds=round(old.utcoffset().total_seconds() / 60) * 60), old.tzname())
os.environ['TZ'] = 'America/New_York'
time.tzset()
print(time.tzname, time.timezone)
try:
    zoneinfo.ZoneInfo('Europe/Nowhere')
except zoneinfo.ZoneInfoNotFoundError:
    print(len(zoneinfo.available_timezones()) > 300, 'NoSuchZone')
