// @benign files_promises.js
// @what renames between folders, links, permissions obeyed, times, holes, syncing, folders as iterators
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=new 2 a/soft\nEACCES EISDIR ELOOP ENOTDIR\n2001-09-09T01:46:40.123Z 5 12345\n1048577 true x\n[ 'a', 'b' ] [ 'hard', 'loop', 'soft', 'target' ]\nleft behind 0
const fs = require('fs/promises');
const code = (promise) => promise.then(() => 'done', (e) => e.code);
(async () => {
  await Promise.all([fs.mkdir('a'), fs.mkdir('b')]);
  await fs.writeFile('a/target', 'old');
  await fs.writeFile('b/new', 'new');
  await fs.rename('b/new', 'a/target');
  await fs.link('a/target', 'b/hard');
  await fs.rename('b/hard', 'a/hard');
  await fs.symlink('target', 'a/soft');
  await fs.symlink('loop', 'a/loop');
  const real = await fs.realpath('a/soft');
  console.log(await fs.readFile('a/soft', 'utf8'), (await fs.stat('a/hard')).nlink,
    real.endsWith('/a/target') && 'a/soft');
  await fs.writeFile('locked', '', { mode: 0 });
  console.log(...await Promise.all(['locked', 'a', 'a/loop', 'a/target/x'].map((name) => code(fs.open(name, 'r+')))));
  const file = await fs.open('file', 'w+');
  await file.write('1234567890');
  await file.truncate(5);
  await file.sync();
  await file.utimes(1e9, 1000000000.123);
  const { mtime, size } = await file.stat();
  console.log(mtime.toISOString(), size, (await file.read(Buffer.alloc(5), 0, 5, 0)).buffer.toString());
  await file.write('x', 1 << 20);
  const sparse = await file.stat();
  await file.close();
  console.log(sparse.size, sparse.blocks * 512 < 1 << 19, (await fs.readFile('file', 'latin1')).slice(-1));
  const folders = [];
  for await (const entry of await fs.opendir('.')) if (entry.isDirectory()) folders.push(entry.name);
  console.log(folders.sort(), (await fs.readdir('a')).sort());
  const left = await fs.open('left', 'w+');
  await left.writeFile('left behind');
  await fs.unlink('left');
  console.log((await left.read(Buffer.alloc(11), 0, 11, 0)).buffer.toString(), (await left.stat()).nlink);
  await left.close();
})();
