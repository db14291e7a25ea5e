# @benign unit_tests.py
# @what unittest reports on stderr and exits with 1 when a test fails, as graders of courses use it
# @limits cpu=5 wall=10
# @file solution.py:"def\ add(a,\ b):\ return\ a\ +\ b\ if\ a\ else\ 0"
# @expect exit=1
# @expect out=checked 3
# @expect stderr=FAILED (failures=1, skipped=1)
import atexit
import unittest

from solution import add

checked = []
atexit.register(lambda: print('checked', len(checked)))


class Add(unittest.TestCase):
    def setUp(self):
        checked.append(self.id())

    def test_right(self):
        self.assertEqual(add(2, 3), 5)

    def test_wrong(self):
        self.assertEqual(add(0, 3), 3)

    def test_skipped(self):
        self.skipTest('not today')


if __name__ == '__main__':
    unittest.main()
