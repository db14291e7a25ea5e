# @benign sqlite_wal.py
# @what a database with a write-ahead log in shared memory, two connections, a lock, and a trip through memory
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=wal 2\ndatabase is locked\n0 3\nok 3\n['Ärger', 'ärger'] 1
import os
import sqlite3

one = sqlite3.connect('w.db', isolation_level=None)
mode = one.execute('pragma journal_mode=wal').fetchone()[0]
one.execute('create table t(word text)')
print(mode, sum(os.path.exists('w.db' + s) for s in ('-wal', '-shm')))
two = sqlite3.connect('w.db', isolation_level=None, timeout=0)
one.execute('begin immediate')
one.executemany('insert into t values(?)', [('Ärger',), ('ärger',), ('zug',)])
try:
    two.execute('begin immediate')
except sqlite3.OperationalError as e:
    print(e)
before = two.execute('select count(*) from t').fetchone()[0]
one.execute('commit')
print(before, two.execute('select count(*) from t').fetchone()[0])
memory = sqlite3.connect(':memory:')
one.backup(memory)
print(memory.execute('pragma integrity_check').fetchone()[0], memory.execute('select count(*) from t').fetchone()[0])
memory.create_function('fold', 1, str.casefold)
memory.create_collation('bytes', lambda a, b: (a > b) - (a < b))
rows = memory.execute("select word from t where fold(word) = 'ärger' order by word collate bytes").fetchall()
print([r[0] for r in rows], memory.execute("select 'A' = 'a' collate nocase").fetchone()[0])
