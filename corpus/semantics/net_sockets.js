// @benign net_sockets.js
// @what servers on the loopback, in the file system and for datagrams; half-closed connections; refused and taken ports
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=tcp: HELLO\nunix: HELLO true\nECONNREFUSED EADDRINUSE ENOENT\nudp ping IPv4\n1000000
const net = require('net');
const dgram = require('dgram');
const fs = require('fs');
const { once } = require('events');

async function talk(server, where) {
  server.listen(where);
  await once(server, 'listening');
  const client = net.connect(where.path || server.address().port, '127.0.0.1');
  client.end('hello');  // half closed: the answer can still come
  let answer = '';
  for await (const piece of client) answer += piece;
  return answer;
}
const failure = async (emitter) => (await once(emitter, 'error'))[0].code;

(async () => {
  const shout = (socket) => {
    let all = '';
    socket.on('data', (piece) => { all += piece; }).on('end', () => socket.end(all.toUpperCase()));
  };
  const options = { allowHalfOpen: true };
  const tcp = net.createServer(options, shout), unix = net.createServer(options, shout);
  console.log('tcp:', await talk(tcp, { port: 0, host: '127.0.0.1' }));
  console.log('unix:', await talk(unix, { path: './talk.sock' }), fs.statSync('talk.sock').isSocket());
  const { port } = tcp.address();
  const taken = await failure(net.createServer().listen(port, '127.0.0.1'));
  tcp.close(), unix.close();
  await once(tcp, 'close');
  console.log(await failure(net.connect(port, '127.0.0.1')), taken, await failure(net.connect('./none.sock')));
  const udp = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(udp, 'listening');
  udp.send('ping', udp.address().port, '127.0.0.1');
  const [message, from] = await once(udp, 'message');
  console.log('udp', message.toString(), from.family);
  udp.close();
  const bulk = net.createServer((socket) => socket.end(Buffer.alloc(1000000)));
  console.log((await talk(bulk, { port: 0, host: 'localhost' })).length);
  bulk.close();
})();
