// @benign heap_150mb.js
// @what 150 MB outside and 100 MB inside the heap of V8, by the default limits; an absurd wish is a RangeError
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=157286400 38400 true\n100000 4999950000\nRangeError 1
const block = Buffer.alloc(150 << 20);
for (let i = 0; i < block.length; i += 4096) block[i] = 1;
let pages = 0;
for (let i = 0; i < block.length; i += 4096) pages += block[i];
console.log(block.length, pages, process.memoryUsage().rss > 150 << 20);
const rows = [];
for (let i = 0; i < 100000; i++) rows.push(new Array(120).fill(i));
console.log(rows.length, rows.reduce((sum, row) => sum + row[119], 0));
try { new ArrayBuffer(2 ** 52); } catch (e) { console.log(e.name, block[4096]); }
