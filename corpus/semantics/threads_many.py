# @benign threads_many.py
# @what 48 threads alive at once, each with the stack that the limit gives it; barriers, thread-local data, late errors
# @limits procs=64 cpu=5 wall=10
# @expect exit=0
# @expect out=48 at once\n[0, 1, 2] main\nTrue\nsum 4950
# @expect stderr=ValueError: only this thread ends
import os
import queue
import threading

barrier = threading.Barrier(49)
for i in range(48):
    threading.Thread(target=barrier.wait).start()
print(threading.active_count() - 1, 'at once')
barrier.wait()

local, seen = threading.local(), []
local.name = 'main'


def own(i):
    local.name = i
    seen.append(local.name)


def fail():
    raise ValueError('only this thread ends')


for target, args in ((own, (0,)), (own, (1,)), (own, (2,)), (fail, ())):
    t = threading.Thread(target=target, args=args)
    t.start(), t.join()
print(seen, local.name)
print(threading.get_native_id() == os.getpid())
jobs, total = queue.Queue(maxsize=4), []
worker = threading.Thread(target=lambda: [total.append(n) for n in iter(jobs.get, None)])
worker.start()
for n in [*range(100), None]:
    jobs.put(n)
worker.join()
threading.Thread(target=threading.Event().wait, daemon=True).start()  # must not keep the program from its end
print('sum', sum(total))
