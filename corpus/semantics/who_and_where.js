// @benign who_and_where.js
// @what the user is `sandbox` of the host `sandbox`, at home in /home/sandbox, at work in /box (in the sandbox)
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=sandbox /home/sandbox /box\nsandbox /home/sandbox /tmp linux\ntrue true true 18\n127.0.0.1 true
const os = require('os');
const me = os.userInfo();
console.log(me.username, me.homedir, process.cwd());
console.log(os.hostname(), os.homedir(), os.tmpdir(), os.platform());
console.log(me.uid === process.getuid() && me.uid > 0, os.totalmem() >= os.freemem() && os.freemem() > 0,
  os.uptime() > 0, process.umask());
// Interfaces are listed through netlink: a sandbox may refuse that, but not end the program for asking.
let asked = false;
try {
  asked = typeof os.networkInterfaces() === 'object';
} catch (e) {
  asked = e.code === 'ERR_SYSTEM_ERROR';
}
require('dns').lookup('localhost', { family: 4 }, (error, address) => console.log(error ? error.code : address, asked));
