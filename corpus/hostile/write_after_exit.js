// @hostile write_after_exit.js
// @group out
// @tries ends with 0 while a child in a session of its own floods both streams that it inherited
// @limits cpu=2 wall=4 mem=256 procs=64 out=1 disk=64
// @expect OK,TLE   (never an internal error)
// @check stdout~^first$
// @severity hard
// @layer pid_ns, output_cap
// @invariants up noproc nowrite noleft return<=7s body<=out+64K
const { spawn } = require('child_process');
console.log('first');
spawn('/bin/sh', ['-c', 'trap "" HUP PIPE TERM; while :; do echo later; echo later >&2; done'], { detached: true, stdio: 'inherit' }).unref();
setTimeout(() => process.exit(0), 200);
