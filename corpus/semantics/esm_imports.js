// @benign esm_imports.js
// @what import() of ECMAScript modules: await at the top, live bindings, cycles, import.meta, packages with exports
// @limits cpu=5 wall=10
// @file lib/main.mjs:"import\ {\ count,\ up\ }\ from\ './counter.mjs';\ import\ fs\ from\ 'node:fs';\ await\ null;\ up();\ export\ default\ count;\ export\ {\ up,\ count\ };\ export\ const\ here\ =\ fs.existsSync(new\ URL(import.meta.url));"
// @file lib/counter.mjs:"import\ *\ as\ main\ from\ './main.mjs';\ export\ let\ count\ =\ 1;\ export\ function\ up()\ {\ count++;\ return\ typeof\ main;\ }"
// @file node_modules/tool/readme.txt:"written\ by\ main.js"
// @file lib/old.cjs:"exports.answer\ =\ 42;\ exports.name\ =\ __filename;"
// @expect exit=0
// @expect out=2 2 true\nobject 3 2\n42 42 old.cjs\nesm cjs ERR_PACKAGE_PATH_NOT_EXPORTED\nERR_MODULE_NOT_FOUND SyntaxError\n7
const fs = require('fs');
const path = require('path');
const code = (promise) => promise.then(() => 'done', (e) => e.code || e.name);
(async () => {
  const main = await import('./lib/main.mjs');
  console.log(main.default, main.count, main.here);
  console.log(main.up(), main.count, main.default);
  const old = await import('./lib/old.cjs');
  console.log(old.answer, old.default.answer, path.basename(old.name));
  fs.writeFileSync('node_modules/tool/package.json', JSON.stringify({
    name: 'tool', exports: { '.': { import: './tool.mjs', require: './tool.cjs' } } }));
  fs.writeFileSync('node_modules/tool/tool.mjs', 'export default "esm";');
  fs.writeFileSync('node_modules/tool/tool.cjs', 'module.exports = "cjs";');
  console.log((await import('tool')).default, require('tool'), await code(import('tool/tool.cjs')));
  fs.writeFileSync('broken.mjs', 'export const = 1;');
  console.log(await code(import('./nothing.mjs')), await code(import('./broken.mjs')));
  console.log((await import('data:text/javascript,export default 7')).default);
})();
