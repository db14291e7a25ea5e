// @benign stdin_lines.js
// @what lines by readline as an asynchronous iterator, the last one without its end, UTF-8 whatever the pieces
// @limits cpu=5 wall=10
// @stdin @hex:c5be6c75c5a56f75c48d6bc3bd0d0a0a6bc5afc588
// @expect exit=0
// @expect out=[ 'žluťoučký', '', 'kůň' ] true
const readline = require('readline');
(async () => {
  const lines = [];
  for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) lines.push(line);
  console.log(lines, process.stdin.readableEnded);
})();
