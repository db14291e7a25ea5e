// @benign worker_channels.js
// @what workers: moved buffers, channels, broadcasts, waiting in the main thread, errors and exit codes of their own
// @limits procs=64 mem=512 cpu=5 wall=10
// @expect exit=0
// @expect out=0 64 64\nthrough the channel\nto all\nok timed-out\nRangeError in the worker\n7
const { Worker, isMainThread, parentPort, workerData, MessageChannel, BroadcastChannel } = require('worker_threads');
const { once } = require('events');

const tasks = {
  measure: () => parentPort.once('message', (moved) => parentPort.postMessage(moved.byteLength)),
  channel: () => workerData.port.postMessage('through the channel'),
  broadcast: () => { const all = new BroadcastChannel('all'); all.postMessage('to all'); all.close(); },
  notify: () => { Atomics.store(workerData.flag, 0, 1); Atomics.notify(workerData.flag, 0); },
  fail: () => { throw new RangeError('in the worker'); },
  exit: () => process.exit(7),
};
const start = (task, data, transferList) => new Worker(__filename, { workerData: { task, ...data }, transferList });

async function main() {
  const worker = start('measure'), moved = new ArrayBuffer(64), size = moved.byteLength;
  worker.postMessage(moved, [moved]);
  console.log(moved.byteLength, size, (await once(worker, 'message'))[0]);
  const { port1, port2 } = new MessageChannel();
  start('channel', { port: port2 }, [port2]);
  console.log((await once(port1, 'message'))[0]);
  port1.close();
  const all = new BroadcastChannel('all');
  const heard = new Promise((resolve) => { all.onmessage = resolve; });
  start('broadcast');
  console.log((await heard).data);
  all.close();
  const flag = new Int32Array(new SharedArrayBuffer(8));
  start('notify', { flag });
  // Without a time-out: a slow host may take its time to start the worker, and the judge's limit ends what hangs.
  const waited = Atomics.wait(flag, 0, 0);
  console.log(waited === 'not-equal' ? 'ok' : waited, Atomics.wait(flag, 1, 0, 5));
  const [error] = await once(start('fail'), 'error');
  console.log(error.name, error.message);
  console.log((await once(start('exit'), 'exit'))[0]);
}
if (isMainThread) main(); else tasks[workerData.task]();
