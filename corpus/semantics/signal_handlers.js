// @benign signal_handlers.js
// @what handlers keep a signal from ending the program, are called with its name, and can be taken away again
// @limits procs=64 cpu=5 wall=10
// @expect exit=0
// @expect out=SIGUSR2 12\nSIGTERM 15\nSIGINT 2\nchild SIGHUP true\nESRCH\nasked 0
const { spawn } = require('child_process');
const { once } = require('events');
(async () => {
  const keepAlive = setInterval(() => {}, 1000);
  for (const name of ['SIGUSR2', 'SIGTERM', 'SIGINT']) {
    const heard = once(process, name);
    process.kill(process.pid, name);
    console.log(...await heard);
  }
  const child = spawn('sleep', ['60']);
  child.kill('SIGHUP');
  const [, signal] = await once(child, 'exit');
  console.log('child', signal, child.killed);
  try { process.kill(child.pid, 0); } catch (e) { console.log(e.code); }
  console.log('asked', process.listenerCount('SIGTERM'));
  clearInterval(keepAlive);
})();
