// @benign file_names.js
// @what names are bytes: both normal forms are two files, names that are no UTF-8 are reached as buffers
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=2 true\ncaf\xe9 636166e9 5\nENAMETOOLONG ENOENT ERR_INVALID_ARG_VALUE\n[ ' ', '-rf', 'a\\nb', '🎉' ]
const fs = require('fs');
const code = (work) => { try { work(); return 'done'; } catch (e) { return e.code; } };
fs.mkdirSync('forms');
for (const name of ['\u00e9', 'e\u0301']) fs.writeFileSync(`forms/${name}`, '');
console.log(fs.readdirSync('forms').length, fs.existsSync('forms/é'));
fs.mkdirSync('bytes');
const raw = Buffer.from('bytes/caf\xe9', 'latin1');
fs.writeFileSync(raw, 'bytes');
const [name] = fs.readdirSync('bytes', { encoding: 'buffer' });
console.log('caf\\xe9', name.toString('hex'), fs.statSync(raw).size);
console.log(code(() => fs.writeFileSync('ř'.repeat(128), '')), code(() => fs.readFileSync('')),
  code(() => fs.writeFileSync('a\0b', '')));
fs.mkdirSync('odd');
for (const odd of ['a\nb', '🎉', ' ', '-rf']) fs.writeFileSync(`odd/${odd}`, odd);
console.log(fs.readdirSync('odd').sort());
