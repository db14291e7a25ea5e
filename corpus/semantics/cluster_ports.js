// @benign cluster_ports.js
// @what two workers of a cluster share one port of the loopback, answer in turn, and leave with codes of their own
// @limits procs=64 mem=512 cpu=5 wall=10
// @expect exit=0
// @expect out=[ 'worker 1', 'worker 2' ]\n[ 11, 12 ]
const cluster = require('cluster');
const http = require('http');
const { once } = require('events');

async function primary() {
  const workers = [cluster.fork(), cluster.fork()];
  const [[{ port }]] = await Promise.all(workers.map((worker) => once(worker, 'listening')));
  const ask = () => new Promise((resolve) => {
    http.get({ port, host: '127.0.0.1', agent: false }, async (answer) => {
      let text = '';
      for await (const piece of answer) text += piece;
      resolve(text);
    });
  });
  const answers = new Set();
  while (answers.size < 2) answers.add(await ask());
  console.log([...answers].sort());
  const ends = workers.map((worker) => once(worker, 'exit'));
  for (const worker of workers) worker.send('end');
  console.log((await Promise.all(ends)).map(([code]) => code));
}

if (cluster.isPrimary) {
  primary();
} else {
  process.on('message', () => process.exit(10 + cluster.worker.id));
  http.createServer((request, answer) => answer.end(`worker ${cluster.worker.id}`)).listen(0, '127.0.0.1');
}
