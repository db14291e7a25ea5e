// @hostile regex_backtrack.js
// @group time
// @tries a pattern that backtracks exponentially, inside the engine of regular expressions where no timer fires
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64
// @expect TLE   (never an internal error)
// @severity hard
// @layer meter
// @invariants up noproc nowrite noleft return<=7s
setTimeout(() => process.exit(0), 100);
console.log(/^(([a-z])+.)+[A-Z]([a-z])+$/.test('a'.repeat(64)));
