// @benign timers_order.js
// @what what runs before what: nextTick, promises, immediates, timers, and timers that do not keep the program alive
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=sync,tick,promise,microtask,io,immediate,timeout\n10 2 at least 30 ms\na,b 3\nend
const fs = require('fs');
const { setTimeout: wait, setInterval: every } = require('timers/promises');
const order = [];
const last = new Promise((resolve) => fs.stat('.', () => {
  order.push('io');
  setTimeout(() => resolve(order.push('timeout')), 0);
  setImmediate(() => order.push('immediate'));  // after i/o always before timers
}));
Promise.resolve().then(() => order.push('promise'));
queueMicrotask(() => order.push('microtask'));
process.nextTick(() => order.push('tick'));
order.push('sync');
(async () => {
  const start = process.hrtime.bigint();
  const ten = await wait(30, 10);
  const ms = Number(process.hrtime.bigint() - start) / 1e6;
  await last;
  console.log(order.join());
  let ticks = 0;
  for await (const n of every(1, 2)) if (++ticks === n) break;
  console.log(ten, ticks, ms >= 29 ? 'at least 30 ms' : ms);
  const sorted = [];
  await Promise.all([wait(20).then(() => sorted.push('b')), wait(1).then(() => sorted.push('a'))]);
  let fired = 0;
  const interval = setInterval(() => {
    if (++fired < 3) return;
    clearInterval(interval);
    console.log(sorted.join(), fired);
  }, 1);
  setTimeout(() => console.log('never: unref'), 60000).unref();
  process.on('exit', () => console.log('end'));
})();
