// @benign temp_folders.js
// @what temporary folders of one's own, modes, files that must not exist yet, whole trees copied and removed
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=true 700 0\n600 644 EEXIST\n[ 'a', 'b' ] 1\nENOTEMPTY ENOENT false\nfalse
const fs = require('fs');
const os = require('os');
const path = require('path');
const mode = (name) => (fs.statSync(name).mode & 0o777).toString(8);
const code = (work) => { try { work(); return 'done'; } catch (e) { return e.code; } };
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mine-'));
console.log(/^\/tmp\/mine-\w{6}$/.test(folder), mode(folder), fs.readdirSync(folder).length);
const at = (...names) => path.join(folder, ...names);
fs.writeFileSync(at('secret'), '1', { mode: 0o600, flag: 'wx' });
fs.writeFileSync(at('plain'), '2');
console.log(mode(at('secret')), mode(at('plain')), code(() => fs.writeFileSync(at('plain'), '3', { flag: 'wx' })));
fs.mkdirSync(at('tree', 'a', 'deep'), { recursive: true });
fs.writeFileSync(at('tree', 'b'), '4');
fs.cpSync(at('tree'), at('copy'), { recursive: true });
console.log(fs.readdirSync(at('copy')), fs.statSync(at('copy', 'b')).size);
const full = code(() => fs.rmdirSync(at('copy'))), gone = code(() => fs.rmSync(at('nothing')));
fs.rmSync(folder, { recursive: true });
console.log(full, gone, fs.existsSync(folder));
fs.writeFileSync('/dev/shm/mine', '5');
fs.unlinkSync('/dev/shm/mine');
console.log(fs.existsSync('/dev/shm/mine'));
