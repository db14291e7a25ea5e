// @benign stdin_empty.js
// @what empty stdin is at its end at once, however it is read; the streams are pipes without colours or columns
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=0 0\n[ true, true, true ] [ undefined, undefined, undefined ] undefined\n[] close
const fs = require('fs');
const readline = require('readline');
console.log(fs.readFileSync(0).length, fs.readSync(0, Buffer.alloc(8)));
console.log([0, 1, 2].map((fd) => fs.fstatSync(fd).isFIFO()),
  [process.stdin, process.stdout, process.stderr].map((stream) => stream.isTTY), process.stdout.columns);
const lines = [];
readline.createInterface({ input: process.stdin }).on('line', (line) => lines.push(line))
  .on('close', () => console.log(lines, 'close'));
