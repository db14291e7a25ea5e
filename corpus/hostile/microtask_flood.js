// @hostile microtask_flood.js
// @group time
// @tries promises that resolve each other for ever: no timer, no signal handler and no exit gets a turn
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64
// @expect TLE,MLE,RTE   (never an internal error)
// @severity hard
// @layer meter
// @invariants up noproc nowrite noleft return<=7s
for (const s of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGXCPU', 'SIGALRM']) try { process.on(s, () => { }); } catch { }
setTimeout(() => process.exit(0), 50);
const again = () => Promise.resolve().then(again);
again();
