// @benign fork_ipc.js
// @what a forked child and its parent send each other values and a listening socket, over an inherited channel
// @limits procs=64 mem=512 cpu=5 wall=10
// @file child.js:"process.on('message',\ (m,\ server)\ =>\ {\ if\ (server)\ server.on('connection',\ (c)\ =>\ c.end('from\ the\ child'));\ process.send(server\ ?\ 'listening'\ :\ {\ got:\ m,\ args:\ process.argv.slice(2)\ });\ });\ process.on('disconnect',\ ()\ =>\ process.exit(5));"
// @expect exit=0
// @expect out={ got: [ 10n, Set(1) { 'x' }, NaN ], args: [ 'a b' ] }\nfrom the child\nexit 5 true
const { fork } = require('child_process');
const { once } = require('events');
const net = require('net');
(async () => {
  const child = fork('./child.js', ['a b'], { serialization: 'advanced' });
  child.send([10n, new Set(['x']), NaN]);
  console.log((await once(child, 'message'))[0]);
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  child.send('here', server);
  await once(child, 'message');
  server.close();  // ours only: the child has its own
  const [words] = await once(net.connect(port, '127.0.0.1'), 'data');
  console.log(words.toString());
  child.disconnect();
  console.log('exit', (await once(child, 'exit'))[0], child.channel === null || child.channel === undefined);
})();
