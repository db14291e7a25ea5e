// @hostile process_bomb.js
// @group proc
// @tries starts itself again as detached processes that do the same, and again whenever one fails
// @limits cpu=2 wall=5 mem=256 procs=64 out=1 disk=64
// @expect TLE,RTE,MLE,OK   (never an internal error)
// @severity hard
// @layer cgroup_pids
// @invariants up noproc nowrite noleft return<=8s
const { spawn } = require('child_process');
const breed = () => { try { spawn(process.execPath, [__filename], { detached: true, stdio: 'inherit' }).on('error', breed).unref(); } catch { } };
setInterval(breed, 5);
breed(); breed();
