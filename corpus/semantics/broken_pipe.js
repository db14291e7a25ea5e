// @benign broken_pipe.js
// @what Node ignores SIGPIPE and gets EPIPE; its children die of the signal as ever, 141 to a shell
// @limits procs=64 cpu=5 wall=10
// @expect exit=0
// @expect out=y 141\nEPIPE
const { spawn, spawnSync } = require('child_process');
const { once } = require('events');
const shell = spawnSync('{ yes; echo $? >&2; } | head -n 1', { shell: true });
console.log(shell.stdout.toString().trim(), shell.stderr.toString().trim());
(async () => {
  const deaf = spawn('exec <&-; echo closed; exec sleep 60', { shell: true });
  await once(deaf.stdout, 'data');
  deaf.stdin.write('nobody reads this');
  console.log((await once(deaf.stdin, 'error'))[0].code);
  deaf.kill();
})();
