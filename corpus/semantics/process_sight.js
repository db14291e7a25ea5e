// @benign process_sight.js
// @what its own numbers, arguments, memory, processors and time; only the streams were open when it began
// @limits procs=64 cpu=5 wall=10
// @expect exit=0
// @expect out=true true\n[ 'node', 'main.js' ] main.js true\ntrue true true\n0 1 2\ntrue true renamed
const os = require('os');
const path = require('path');
const { spawnSync } = require('child_process');
const stdio = ['ignore', 'pipe', 'inherit'];
const sh = (command) => spawnSync(command, { shell: true, stdio }).stdout.toString().trim();
console.log(process.pid > 1, sh('echo $PPID') === String(process.pid));
console.log([process.argv0, path.basename(process.argv[1])].map((p) => path.basename(p)), path.basename(__filename),
  path.isAbsolute(process.execPath) && require.main === module);
const { rss, heapTotal, heapUsed } = process.memoryUsage();
console.log(rss > heapUsed && heapTotal >= heapUsed, os.cpus().length >= 1, process.resourceUsage().maxRSS > 10000);
// A child sees what is open without close-on-exec: the three streams, and the folder that ls reads.
console.log(sh('ls /proc/self/fd').split('\n').slice(0, 3).join(' '));
const start = process.hrtime.bigint(), cpu = process.cpuUsage();
while (process.cpuUsage(cpu).user + process.cpuUsage(cpu).system < 20000);
process.title = 'renamed';
console.log(process.hrtime.bigint() - start >= 10000000n, process.uptime() > 0, process.title);
