// @benign abort_crash.js
// @what process.abort() is SIGABRT; a child that crashes is seen as SIGSEGV, and leaves no core file
// @limits procs=64 cpu=5 wall=10
// @expect signal=SIGABRT
// @expect out=child SIGSEGV\n[ 'main.js' ]
const { spawnSync } = require('child_process');
const { signal } = spawnSync('sh', ['-c', 'ulimit -c 0; kill -SEGV $$']);
console.log('child', signal);
console.log(require('fs').readdirSync('.'));
process.abort();
