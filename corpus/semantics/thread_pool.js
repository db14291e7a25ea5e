// @benign thread_pool.js
// @what more work for the four threads of the pool than they can do at once: files, keys, look-ups, none is lost
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=200 1990000\n16 1\n20 127.0.0.1\n100 open at once
const fs = require('fs/promises');
const crypto = require('crypto');
const dns = require('dns/promises');
const { promisify } = require('util');
(async () => {
  const files = Promise.all(Array.from({ length: 200 }, async (_, i) => {
    await fs.writeFile(`f${i}`, String(i * 100));
    return Number(await fs.readFile(`f${i}`, 'utf8'));
  }));
  const keys = Promise.all(Array.from({ length: 16 }, () => promisify(crypto.pbkdf2)('p', 's', 2000, 32, 'sha256')));
  const names = Promise.all(Array.from({ length: 20 }, () => dns.lookup('localhost', { family: 4 })));
  const numbers = await files;
  console.log(numbers.length, numbers.reduce((a, b) => a + b));
  console.log((await keys).length, new Set((await keys).map(String)).size);
  console.log((await names).length, ...new Set((await names).map((n) => n.address)));
  const handles = await Promise.all(Array.from({ length: 100 }, (_, i) => fs.open(`f${i}`)));
  console.log(new Set(handles.map((h) => h.fd)).size, 'open at once');
  await Promise.all(handles.map((h) => h.close()));
})();
