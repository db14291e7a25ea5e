// @benign modules_cycle.js
// @what require: cycles give what is there so far, modules are made once, folders have an index, JSON is read
// @limits cpu=5 wall=10
// @file a.js:"exports.early\ =\ 'early';\ exports.seen\ =\ require('./b').seen;\ exports.late\ =\ 'late';"
// @file b.js:"exports.seen\ =\ Object.keys(require('./a')).join();\ global.loads\ =\ (global.loads\ ||\ 0)\ +\ 1;"
// @file box/index.js:"module.exports\ =\ class\ Box\ {\ get\ size()\ {\ return\ require('./size.json').cm;\ }\ };"
// @file box/size.json:"{\ "cm":\ [30,\ 20]\ }"
// @expect exit=0
// @expect out=early early,seen,late 1\n[ 30, 20 ] Box\ntrue 2\nMODULE_NOT_FOUND main.js\nfunction true
const path = require('path');
const a = require('./a');
require('./b.js');
console.log(a.seen, Object.keys(a).join(), global.loads);
const Box = require('./box');
console.log(new Box().size, Box.name);
const cached = require('./b') === require(path.resolve('b'));
delete require.cache[require.resolve('./b')];
require('./b');
console.log(cached, global.loads);
try { require('left-pad-of-nobody'); } catch (e) { console.log(e.code, path.basename(e.requireStack[0])); }
console.log(typeof require('node:module').createRequire, module.paths[0] === path.resolve('node_modules'));
