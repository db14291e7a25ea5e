# @benign heap_objects.py
# @what 200,000 objects in cycles, collected by the garbage collector; weak references see them go
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=200000 True\n0 0
import gc
import weakref


class Node:
    __slots__ = ('next', 'payload', '__weakref__')


alive = weakref.WeakSet()
gc.disable()
for i in range(200000):
    a = Node()
    a.next, a.payload = a, [i, str(i)]
    if i % 1000 == 0:
        alive.add(a)
first = weakref.ref(a)
count = sum(isinstance(o, Node) for o in gc.get_objects())
print(count, len(alive) == 200)
del a
gc.collect()
print(len(alive), int(first() is not None))
