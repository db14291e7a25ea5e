// @hostile inspector_port.js
// @group net
// @tries two runs at once: each listens as a debugger on the same port and looks for the other's, through which it could run code there
// @limits cpu=3 wall=10 mem=256 procs=64 out=1 disk=64
// @expect OK,RTE   (never an internal error)
// @check stdout~^end$ ; stdout!~ESCAPED
// @runs 2par
// @severity hard
// @layer net_ns
// @invariants up noproc nowrite noleft return<=13s
const http = require('http'), net = require('net');
const me = String(process.hrtime.bigint());
const ports = [9229, 9230, 47391];
const servers = ports.map((port) => http.createServer((_, r) => r.end(me)).on('error', (e) => console.log(e.code === 'EADDRINUSE' ? 'ESCAPED: somebody else listens here' : e.code)).listen(port, '0.0.0.0'));
const look = () => { for (const port of ports) http.get({ port, timeout: 300 }, (r) => r.on('data', (d) => { if (String(d) !== me) console.log('ESCAPED: another run at', port); })).on('error', () => { }); };
const timer = setInterval(look, 100);
setTimeout(() => { clearInterval(timer); servers.forEach((s) => s.close()); console.log('end'); process.exit(0); }, 1500);
