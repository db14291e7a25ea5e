// @benign stdin_unread.js
// @what 10 MB of stdin of which one piece is read and the rest left; the program ends at once when it lets go
// @limits cpu=5 wall=10
// @stdin @10MB-digits
// @expect exit=0
// @expect out=0123456789 true
process.stdin.once('data', (piece) => {
  console.log(piece.toString('latin1', 0, 10), piece.length <= 65536);
  process.stdin.destroy();
});
