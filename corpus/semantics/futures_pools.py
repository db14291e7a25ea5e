# @benign futures_pools.py
# @what pools of threads and of processes: order, errors that cross over, time-outs, a worker that dies breaks its pool
# @limits procs=64 cpu=5 wall=15
# @expect exit=0
# @expect out=[0, 1, 4, 9] True\n['d', 'c', 'b', 'a']\nZeroDivisionError _RemoteTraceback\nTimeoutError\nBrokenProcessPool
import concurrent.futures as cf
import multiprocessing
import os
import threading
import time
from concurrent.futures.process import BrokenProcessPool


def square(n):
    return n * n, os.getpid()


def divide(n):
    return 1 / n


if __name__ == '__main__':
    fork = multiprocessing.get_context('fork')
    with cf.ProcessPoolExecutor(2, mp_context=fork) as pool:
        results = list(pool.map(square, range(4)))
        print([r for r, _ in results], os.getpid() not in {p for _, p in results})
        gates, order = [threading.Event() for _ in range(5)], []
        gates[4].set()
        with cf.ThreadPoolExecutor(4) as threads:
            def step(i):
                gates[i + 1].wait()
                order.append('abcd'[i])
                gates[i].set()
            list(threads.map(step, range(4)))
        print(order)
        error = pool.submit(divide, 0).exception()
        print(type(error).__name__, type(error.__cause__).__name__)
        try:
            pool.submit(time.sleep, 5).result(timeout=0.01)
        except cf.TimeoutError:
            print('TimeoutError')
        try:
            pool.submit(os._exit, 1).result()
        except BrokenProcessPool as e:
            print(type(e).__name__)
