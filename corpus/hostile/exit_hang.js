// @hostile exit_hang.js
// @group time
// @tries ends with 0, but its exit handler computes for ever, and each error on the way is swallowed
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64
// @expect TLE   (never an internal error)
// @check stdout~^leaving$
// @severity hard
// @layer meter
// @invariants up noproc nowrite noleft return<=7s
process.on('uncaughtException', () => process.exit(0));
process.on('exit', () => { console.log('leaving'); for (;;) try { (function f() { f(); })(); } catch { } });
process.exit(0);
