// @benign http_loopback.js
// @what an HTTP server and its clients in one program: fetch, kept connections, bodies in chunks, a request given up
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=200 {"got":"žluť"} application/json\n404\nchunked one,two same connection true\nAbortError\nclosed
const http = require('http');
const { once } = require('events');
const server = http.createServer(async (request, answer) => {
  if (request.url === '/echo') {
    let got = '';
    for await (const piece of request.setEncoding('utf8')) got += piece;
    answer.setHeader('Content-Type', 'application/json').end(JSON.stringify({ got }));
  } else if (request.url === '/chunks') {
    answer.write('one,');
    setImmediate(() => answer.end('two'));
  } else if (request.url !== '/never') {
    answer.writeHead(404).end();
  }
});
(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address(), base = `http://127.0.0.1:${port}`;
  const echo = await fetch(`${base}/echo`, { method: 'POST', body: 'žluť' });
  console.log(echo.status, await echo.text(), echo.headers.get('content-type'));
  console.log((await fetch(`${base}/nothing`)).status);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const get = async (path) => {
    const [answer] = await once(http.get({ port, host: '127.0.0.1', path, agent }), 'response');
    const { localPort } = answer.socket;
    let text = '';
    for await (const piece of answer) text += piece;
    return [answer.headers['transfer-encoding'], text, localPort];
  };
  const first = await get('/chunks'), second = await get('/chunks');
  console.log(first[0], first[1], 'same connection', first[2] === second[2]);
  const aborter = new AbortController();
  server.once('request', () => aborter.abort());
  await fetch(`${base}/never`, { signal: aborter.signal }).catch((e) => console.log(e.name));
  agent.destroy();
  server.closeAllConnections();
  server.close(() => console.log('closed'));
})();
