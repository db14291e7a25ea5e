// @hostile worker_bomb.js
// @group proc
// @tries each worker thread starts two more, with an engine of its own in each
// @limits cpu=2 wall=5 mem=256 procs=64 out=1 disk=64
// @expect TLE,RTE,MLE,OK   (never an internal error)
// @severity hard
// @layer cgroup_pids, cgroup_memory
// @invariants up noproc nowrite noleft return<=8s
const { Worker } = require('worker_threads');
const breed = () => { for (let i = 0; i < 2; i++) new Worker(__filename).on('error', breed); };
process.on('uncaughtException', breed);
breed();
