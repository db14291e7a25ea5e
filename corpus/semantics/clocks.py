# @benign clocks.py
# @what the clocks go forward, sleep at least what was asked, count waiting apart from work, and know the date
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=True True True\nTrue True True\nTrue True
import datetime
import os
import resource
import time

wall, cpu, thread = time.monotonic(), time.process_time(), time.thread_time()
time.sleep(0.05)
print(time.monotonic() - wall >= 0.05, time.process_time() - cpu < 0.04, time.thread_time() - thread < 0.04)
readings = [time.perf_counter_ns() for _ in range(10000)]
print(readings == sorted(readings), time.get_clock_info('monotonic').resolution <= 0.001,
      time.clock_getres(time.CLOCK_REALTIME) <= 0.001)
end = time.process_time() + 0.05
while time.process_time() < end:
    pass
used = resource.getrusage(resource.RUSAGE_SELF)
open('now', 'w').close()
age = abs(os.stat('now').st_mtime - time.time())
print(used.ru_utime + used.ru_stime >= 0.05, datetime.datetime.now(datetime.timezone.utc).year >= 2025 and age < 5)
