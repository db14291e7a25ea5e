// @benign worker_out_of_memory.js
// @what a worker with a small heap runs out of it, and only the worker ends
// @limits procs=64 mem=512 cpu=5 wall=10
// @expect exit=0
// @expect out=ERR_WORKER_OUT_OF_MEMORY 1\nstill here
const { Worker } = require('worker_threads');
const hungry = 'const all = []; for (;;) all.push(new Array(1000).fill(all.length));';
const resourceLimits = { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 4 };
const worker = new Worker(hungry, { eval: true, resourceLimits });
let code;
worker.on('error', (error) => { code = error.code; });
worker.on('exit', (status) => { console.log(code, status); console.log('still here'); });
