// @benign stream_pipeline.js
// @what pipelines hold back a fast writer, carry errors to every part, and iterate; files are read from the middle
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=true 8000000 true\nbroken true true\n[ 'a', 'b,c' ]\nghij
const { Readable, Transform, Writable, PassThrough } = require('stream');
const { pipeline } = require('stream/promises');
const { once } = require('events');
const fs = require('fs');

(async () => {
  let held = false, most = 0, total = 0;
  const slow = new Writable({
    highWaterMark: 65536,
    write(piece, _, done) { total += piece.length; most = Math.max(most, slow.writableLength); setImmediate(done); },
  });
  for (let i = 0; i < 500; i++) {
    if (!slow.write(Buffer.alloc(16000))) { held = true; await once(slow, 'drain'); }
  }
  slow.end();
  await once(slow, 'finish');
  console.log(held, total, most < 65536 + 16000);

  const source = Readable.from(['x', 'y']), end = new PassThrough();
  const broken = new Transform({ transform(piece, _, done) { done(new Error('broken')); } });
  await pipeline(source, broken, end).catch((e) => console.log(e.message, source.destroyed, end.destroyed));

  const lines = [];
  await pipeline(['a\nb', ',c\n'], async function* split(pieces) {
    let rest = '';
    for await (const piece of pieces) { const parts = (rest + piece).split('\n'); rest = parts.pop(); yield* parts; }
  }, async (parts) => { for await (const part of parts) lines.push(part); });
  console.log(lines);

  fs.writeFileSync('letters', 'abcdefghijklm');
  await pipeline(fs.createReadStream('letters', { start: 6, end: 9 }), fs.createWriteStream('some'));
  console.log(fs.readFileSync('some', 'utf8'));
})();
