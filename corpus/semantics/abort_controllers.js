// @benign abort_controllers.js
// @what signals that give up timers, events, reading, children and work of one's own, with the reason kept
// @limits procs=64 cpu=5 wall=10
// @expect exit=0
// @expect out=AbortError ABORT_ERR\nTimeoutError\nAbortError true\nAbortError SIGTERM\nmy reason 1\nAbortError
const { setTimeout: wait } = require('timers/promises');
const { EventEmitter, once } = require('events');
const { spawn } = require('child_process');
const fs = require('fs/promises');
const soon = (reason) => { const c = new AbortController(); setTimeout(() => c.abort(reason), 5); return c.signal; };
(async () => {
  await wait(60000, null, { signal: soon() }).catch((e) => console.log(e.name, e.code));
  const late = AbortSignal.timeout(5), awake = setTimeout(() => {}, 9000);  // the signal alone keeps nothing alive
  await once(late, 'abort');
  clearTimeout(awake);
  console.log(late.reason.name);
  const emitter = new EventEmitter();
  await once(emitter, 'never', { signal: soon() }).catch((e) => console.log(e.name, emitter.eventNames().length === 0));
  const child = spawn('sleep', ['60'], { signal: soon() });
  const [error] = await once(child, 'error');
  console.log(error.name, child.signalCode || (await new Promise((done) => child.once('exit', (_, s) => done(s)))));
  const signal = soon('my reason');
  let heard = 0;
  signal.addEventListener('abort', () => { heard++; }, { once: true });
  await once(signal, 'abort');
  try { signal.throwIfAborted(); } catch (e) { console.log(e, heard); }
  await fs.readFile('main.js', { signal: AbortSignal.abort() }).catch((e) => console.log(e.name));
})();
