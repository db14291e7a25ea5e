// @hostile persist_modules.js
// @group fs
// @tries plants packages where a later Node would find them: node_modules in each folder above, in the home, in the global folders, and start options
// @limits cpu=4 wall=10 mem=256 procs=64 out=1 disk=64
// @expect OK,RTE   (never an internal error)
// @check stdout~^planted \d+$ ; stdout!~ESCAPED
// @runs 2
// @severity hard
// @layer mount_ns, tree
// @invariants up noproc nowrite noleft return<=13s
const fs = require('fs'), path = require('path'), os = require('os'), Module = require('module');
try { console.log('ESCAPED: found', require('h7391-planted')); } catch { }
if (globalThis.h7391 || process.env.NODE_OPTIONS) console.log('ESCAPED: started with what an earlier run left');
let planted = 0;
const folders = new Set([...module.paths, ...Module.globalPaths, '/usr/share/nodejs', '/usr/lib/node_modules', '/tmp/node_modules', '/node_modules', path.join(os.homedir(), '.node_modules'), path.join(os.homedir(), '.npm')]);
for (const folder of folders) try {
  fs.mkdirSync(path.join(folder, 'h7391-planted'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'h7391-planted', 'index.js'), 'module.exports = __filename;');
  planted++;
  if (/^\/(usr|etc|lib|opt)/.test(folder)) console.log('ESCAPED: planted in', folder);
} catch { }
for (const file of ['/box/package.json', '/package.json', '/tmp/package.json', '/etc/npmrc', '/box/.npmrc', '/box/.noderc', '/box/.env', os.homedir() + '/.node_repl_history', '/usr/bin/node', process.execPath])
  try { fs.writeFileSync(file, '{"type":"module","main":"h7391.js"}', { flag: file === process.execPath ? 'r+' : 'w' }); planted++; if (/^\/(usr|etc)/.test(file)) console.log('ESCAPED: wrote', file); } catch { }
console.log('planted', planted);
