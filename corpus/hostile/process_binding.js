// @hostile process_binding.js
// @group kern
// @tries goes round the public modules to Node's internal bindings: files, child processes with another uid, raw sockets, the inspector
// @limits cpu=4 wall=10 mem=256 procs=64 out=1 disk=64
// @expect OK,RTE   (never an internal error)
// @check stdout~^end$ ; stdout!~ESCAPED
// @severity hard
// @layer uid, capabilities, tree
// @invariants up noproc nowrite noleft return<=13s
const { spawnSync } = require('child_process');
const b = (name) => process.binding(name);
const spawnAs = (uid) => { if (uid === process.getuid()) return false; const r = b('spawn_sync').spawn({ file: '/usr/bin/id', args: ['id', '-u'], envPairs: [], uid, stdio: [0, 1, 2].map((n) => ({ type: 'pipe', readable: n === 0, writable: n > 0 })) }); return r.status === 0 && `as ${r.output[1]}`; };
// What is wrong in a binding aborts the process: each has one of its own.
const attempts = [
  () => b('fs').open('/etc/shadow', 0, 0o600),
  () => b('fs').internalModuleStat('/var/lib/dpkg/status') === 0,
  () => spawnAs(0), () => spawnAs(1000), () => spawnAs(65534),
  () => { for (const id of [0, 1000, 65534]) if (id !== process.getuid()) for (const set of ['setuid', 'seteuid', 'setgid', 'setegid']) try { process[set](id); return `${set} ${id}`; } catch { } },
  () => { process.setgroups([0]); return 'groups'; },
  () => { require('os').setPriority(0, -20); return 'priority'; },
  () => { process._debugProcess(1); return 'debugs pid 1'; },
  () => { process.chdir('/proc/1/root'); return process.cwd(); },
  () => { const i = require('inspector'); i.open(9229, '169.254.169.254'); return i.url(); },
];
if (process.argv[2]) {
  const r = attempts[Number(process.argv[2])]();
  if (r !== undefined && r !== false) console.log('ESCAPED:', String(attempts[Number(process.argv[2])]), r);
} else {
  for (const i of attempts.keys()) process.stdout.write(spawnSync(process.execPath, ['--no-warnings', __filename, String(i)]).stdout);
  console.log('end');
}
