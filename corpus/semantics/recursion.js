// @benign recursion.js
// @what endless recursion is a RangeError that can be caught; a larger stack goes deeper, in a worker and in a child
// @limits procs=64 mem=512 cpu=5 wall=10
// @expect exit=0
// @expect out=RangeError true\nstill alive\nworker 60000\nchild 40000
const { Worker } = require('worker_threads');
const { spawnSync } = require('child_process');
const depth = (n) => (n === 0 ? 0 : 1 + depth(n - 1));
let reached = 0;
const endless = () => { reached++; endless(); reached--; };
try { endless(); } catch (e) { console.log(e.name, reached > 5000); }
console.log('still alive');
const source = `const depth = ${depth}; require('worker_threads').parentPort.postMessage(depth(60000));`;
new Worker(source, { eval: true, resourceLimits: { stackSizeMb: 32 } }).on('message', (n) => {
  console.log('worker', n);
  const child = spawnSync(process.execPath, ['--stack-size=7000', '-p', `const depth = ${depth}; depth(40000)`]);
  console.log('child', child.stdout.toString().trim());
});
