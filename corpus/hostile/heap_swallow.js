// @hostile heap_swallow.js
// @group mem
// @tries keeps its heap all but full and makes rubbish in the rest: collection without end, which no handler of its own can stop
// @limits cpu=4 wall=10 mem=128 procs=64 out=1 disk=64
// @expect TLE,MLE,RTE   (never an internal error)
// @severity hard
// @layer meter, cgroup_memory
// @invariants up noproc nowrite noleft return<=13s
const v8 = require('v8'), kept = [];
process.on('uncaughtException', () => { });
const room = () => { const s = v8.getHeapStatistics(); return s.heap_size_limit - s.used_heap_size; };
while (room() > 12e6) kept.push(Array.from({ length: 10000 }, (_, i) => ({ i })));
console.log('full');
for (let i = 0; ; i++) kept[i % kept.length] = Array.from({ length: 10000 }, (_, k) => ({ k, s: 'x' + k }));
