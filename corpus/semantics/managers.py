# @benign managers.py
# @what a manager process with shared objects, queues, pipes, shared memory in /dev/shm and the exit codes of workers
# @limits procs=64 cpu=5 wall=15
# @expect exit=0
# @expect out={0: 0, 1: 1, 2: 4}\n['from 0', 'from 1']\n[3, -15, 1]\n45 2.5\n['spawned', 6]
import multiprocessing as mp
from multiprocessing import shared_memory
import sys
import time


def square(shared, i):
    shared[i] = i * i


def put(queue, i):
    queue.put(f'from {i}')


def end(how):
    if how == 'exit':
        sys.exit(3)
    if how == 'sleep':
        time.sleep(60)
    raise ValueError


def fill(name, total):
    block = shared_memory.SharedMemory(name=name)
    with total.get_lock():
        total.value += sum(block.buf[:10])
    block.close()


def spawned(pipe):
    pipe.send(['spawned', sum(pipe.recv())])


def run(ctx, target, *all_args):
    workers = [ctx.Process(target=target, args=args) for args in all_args]
    for w in workers:
        w.start()
    return workers


if __name__ == '__main__':
    ctx = mp.get_context('fork')
    with ctx.Manager() as manager:
        shared = manager.dict()
        for w in run(ctx, square, *((shared, i) for i in range(3))):
            w.join()
        print(dict(sorted(shared.items())))
    queue = ctx.Queue()
    workers = run(ctx, put, (queue, 0), (queue, 1))
    print(sorted(queue.get(timeout=5) for _ in workers))
    workers = run(ctx, end, ('exit',), ('sleep',), ('raise',))
    workers[1].terminate()
    print([w.join() or w.exitcode for w in workers])
    block, total = shared_memory.SharedMemory(create=True, size=4096), ctx.Value('d', 2.5)
    block.buf[:10] = bytes(range(10))
    run(ctx, fill, (block.name, total))[0].join()
    print(int(total.value - 2.5), total.value - sum(block.buf[:10]))
    block.close(), block.unlink()
    ours, theirs = mp.Pipe()
    worker = run(mp.get_context('spawn'), spawned, (theirs,))[0]
    ours.send([1, 2, 3])
    print(ours.recv())
    worker.join()
