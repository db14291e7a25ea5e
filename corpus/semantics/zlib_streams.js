// @benign zlib_streams.js
// @what gzip, deflate and brotli, at once and as streams, through the thread pool; damaged data is an error
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=true true true\n8 equal\nZ_DATA_ERROR Z_BUF_ERROR ERR_BUFFER_TOO_LARGE\n1f8b 5000000 true\nfrom gzip
const zlib = require('zlib');
const fs = require('fs');
const { promisify } = require('util');
const { Readable } = require('stream');
const { pipeline } = require('stream/promises');
const { execFileSync } = require('child_process');
const text = Buffer.from('to be or not to be '.repeat(5000));
const pairs = [[zlib.gzip, zlib.gunzip], [zlib.deflate, zlib.inflate], [zlib.brotliCompress, zlib.brotliDecompress]]
  .map((pair) => pair.map(promisify));
(async () => {
  console.log(...await Promise.all(pairs.map(async ([pack, unpack]) => text.equals(await unpack(await pack(text))))));
  const many = await Promise.all(Array.from({ length: 8 }, () => pairs[0][0](text)));
  console.log(many.length, many.every((packed) => packed.equals(many[0])) ? 'equal' : 'different');
  const code = (promise) => promise.catch((e) => e.code);
  const damaged = Buffer.from(many[0]);
  damaged[damaged.length - 5] ^= 1;
  console.log(await code(pairs[0][1](damaged)), await code(pairs[0][1](many[0].subarray(0, 50))),
    await code(pairs[0][1](many[0], { maxOutputLength: 1000 })));
  const pieces = function* give() { for (let i = 0; i < 500; i++) yield Buffer.alloc(10000, i); };
  await pipeline(Readable.from(pieces()), zlib.createGzip({ level: 1 }), fs.createWriteStream('a.gz'));
  let size = 0;
  for await (const piece of fs.createReadStream('a.gz').pipe(zlib.createGunzip())) size += piece.length;
  console.log(fs.readFileSync('a.gz').toString('hex', 0, 2), size, fs.statSync('a.gz').size < 100000);
  console.log(zlib.gunzipSync(execFileSync('gzip', { input: 'from gzip' })).toString());
})();
