# @benign paths_and_trees.py
# @what pathlib and shutil: globs, links resolved, trees copied, moved, packed and removed, free space asked
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=['src/a.py', 'src/deep/ž.py']\nTrue True\n['a.py', 'deep', 'readme.txt'] True\nTrue sh\n[] True\nFileNotFoundError src
import shutil
from pathlib import Path

src = Path('src')
(src / 'deep').mkdir(parents=True)
for name in ('a.py', 'deep/ž.py', 'readme.txt'):
    (src / name).write_text(f'{name}\n', encoding='utf-8')
print(sorted(str(p) for p in src.rglob('*.py')))
Path('link').symlink_to(src / 'deep', target_is_directory=True)
print(Path('link/../a.py').resolve() == (src / 'a.py').resolve(), Path('link').is_symlink())
shutil.copytree(src, 'copy', symlinks=True)
print(sorted(p.name for p in Path('copy').iterdir()), (src / 'deep/ž.py').stat().st_mtime_ns
      == Path('copy/deep/ž.py').stat().st_mtime_ns)
free = shutil.disk_usage('.')
print(free.total >= free.free > 1 << 20, Path(shutil.which('sh')).name)
shutil.make_archive('packed', 'gztar', 'src')
shutil.move('src', 'copy/moved')
shutil.rmtree('copy')
shutil.unpack_archive('packed.tar.gz', 'out')
print(list(Path('.').glob('copy*')), Path('out/deep/ž.py').exists())
try:
    src.stat()
except FileNotFoundError as e:
    print(type(e).__name__, e.filename)
