// @benign files_watched.js
// @what changes of a folder and of a file are told by the kernel (inotify), as for bundlers and test runners
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=rename new.txt\nchange new.txt\nABORT_ERR
const fs = require('fs');
const { once } = require('events');
(async () => {
  fs.mkdirSync('watched');
  const folder = fs.watch('watched');
  const created = once(folder, 'change');
  fs.closeSync(fs.openSync('watched/new.txt', 'w'));
  console.log(...await created);
  folder.close();
  const file = fs.watch('watched/new.txt');
  const changed = once(file, 'change');
  fs.appendFileSync('watched/new.txt', 'more');
  console.log(...await changed);
  file.close();
  const aborter = new AbortController();
  const endless = require('fs/promises').watch('watched', { signal: aborter.signal });
  setImmediate(() => aborter.abort());
  try {
    for await (const event of endless) console.log(event);
  } catch (e) {
    console.log(e.code);
  }
})();
