// @benign exit_variants.js
// @what every way for Node to end, told apart by its parent: codes wrap at 256, an unfinished await is 13
// @limits procs=64 mem=512 cpu=5 wall=15
// @expect exit=0
// @expect out=0 255 0 9 1 1 1 7 13 SIGABRT SIGTERM 4 bye
const { spawn } = require('child_process');
const { once } = require('events');
const ways = [
  ['-e', ''],
  ['-e', 'process.exit(-1)'],
  ['-e', 'process.exitCode = 256'],
  ['-e', 'process.exitCode = 8; process.exit(9)'],
  ['-e', 'throw new Error("thrown")'],
  ['-e', 'this is no program'],
  ['-e', 'Promise.reject(new Error("rejected"))'],
  ['-e', 'process.on("uncaughtException", () => { throw 2; }); throw 1'],
  ['--input-type=module', '-e', 'await new Promise(() => {})'],
  ['-e', 'process.abort()'],
  ['-e', 'process.kill(process.pid); setTimeout(() => {}, 9999)'],
  ['-e', `process.on("exit", (code) => { process.stdout.write("bye"); process.exitCode = code + 1; });
    process.exitCode = 3`],
];
(async () => {
  const ended = [];
  let output = '';
  for (const way of ways) {  // one after the other: each takes a dozen threads
    const child = spawn(process.execPath, way, { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.on('data', (piece) => { output += piece; });
    const [code, signal] = await once(child, 'close');
    ended.push(signal || code);
  }
  console.log(...ended, output);
})();
