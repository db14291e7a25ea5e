// @benign stdin_bytes.js
// @what bytes that are no UTF-8 come in by the stream and go out unharmed; as text they would be replaced
// @limits cpu=5 wall=10
// @stdin @hex:00ff80c3280d0a1a04
// @expect exit=0
// @expect outhex=00ff80c3280d0a1a0439203130
const pieces = [];
process.stdin.on('data', (piece) => pieces.push(piece));
process.stdin.on('end', () => {
  const all = Buffer.concat(pieces);
  process.stdout.write(all);
  process.stdout.write(`${all.length} ${all.toString().length + 1}`);
});
