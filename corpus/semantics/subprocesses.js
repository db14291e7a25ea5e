// @benign subprocesses.js
// @what children fed through stdin, with an environment and folder of their own, killed in time, with too much output
// @limits procs=64 cpu=5 wall=10
// @expect exit=0
// @expect out=abc\nMARK=ž 1\nsub\n7 err\nSIGTERM ETIMEDOUT\nENOBUFS ENOENT\n3 descriptors
const { spawn, spawnSync, execFile, execSync } = require('child_process');
const { promisify } = require('util');
const { once } = require('events');
const fs = require('fs');
(async () => {
  const lower = spawn('tr', ['A-C', 'a-c']);
  lower.stdin.end('ABC\n');
  process.stdout.write((await once(lower.stdout, 'data'))[0]);
  const { stdout } = await promisify(execFile)('/usr/bin/env', [], { env: { MARK: 'ž 1' } });
  process.stdout.write(stdout);
  fs.mkdirSync('sub');
  console.log(execSync('basename "$PWD"', { cwd: 'sub' }).toString().trim());
  const failed = spawnSync('echo err >&2; exit 7', { shell: true });
  console.log(failed.status, failed.stderr.toString().trim());
  const late = spawnSync('sleep', ['60'], { timeout: 50 });
  console.log(late.signal, late.error.code);
  console.log(spawnSync('yes', { maxBuffer: 1000 }).error.code, spawnSync('no_such_program').error.code);
  const third = spawn('sh', ['-c', 'echo 3 descriptors >&3'], { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
  process.stdout.write((await once(third.stdio[3], 'data'))[0]);
})();
