// @benign async_context.js
// @what what belongs to a request follows it through timers, promises and events; iterators clean up after a break
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=[ 'a a a', 'b b b' ] undefined\n[ 1, 2, 3 ]\ncleaned up after 2\nfirst,second 0\n[ 'mark', 'measure' ] true
const { AsyncLocalStorage } = require('async_hooks');
const { EventEmitter, on } = require('events');
const { performance, PerformanceObserver } = require('perf_hooks');
const { setTimeout: wait } = require('timers/promises');
(async () => {
  const store = new AsyncLocalStorage();
  const request = (id) => store.run(id, async () => {
    const seen = [store.getStore()];
    await wait(2);
    seen.push(store.getStore());
    await new Promise((done) => setImmediate(() => { seen.push(store.getStore()); done(); }));
    return seen.join(' ');
  });
  console.log(await Promise.all(['a', 'b'].map(request)), store.getStore());
  const emitter = new EventEmitter(), got = [];
  setImmediate(() => [1, 2, 3].forEach((n) => emitter.emit('n', n)));
  for await (const [n] of on(emitter, 'n')) { got.push(n); if (n === 3) break; }
  console.log(got);
  async function* numbers() { let n = 0; try { for (;;) yield ++n; } finally { console.log('cleaned up after', n); } }
  for await (const n of numbers()) if (n === 2) break;
  const heard = [];
  emitter.on('x', () => heard.push('second')).prependOnceListener('x', () => heard.push('first'));
  emitter.emit('x');
  console.log(heard.join(), emitter.listenerCount('n'));
  const observed = new Promise((done) => {
    const observer = new PerformanceObserver((list) => { observer.disconnect(); done(list.getEntries()); });
    observer.observe({ entryTypes: ['mark', 'measure'] });
  });
  performance.mark('start');
  performance.measure('all', 'start');
  const entries = await observed;
  console.log(entries.map((e) => e.entryType), entries.every((e) => e.startTime >= 0));
})();
