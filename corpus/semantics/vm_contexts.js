// @benign vm_contexts.js
// @what code in contexts with globals of their own, an endless loop stopped by a watching thread, compiled code kept
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=3 undefined\nERR_SCRIPT_EXECUTION_TIMEOUT\nfalse true\nmade-up.js:3 SyntaxError\ntrue 42
const vm = require('vm');
const context = vm.createContext({ a: 1 });
vm.runInContext('var total = a + 2', context);
console.log(context.total, typeof total);
try { vm.runInContext('for (;;);', context, { timeout: 30 }); } catch (e) { console.log(e.code); }
const foreign = vm.runInContext('[1, 2]', context);
console.log(foreign instanceof Array, Array.isArray(foreign));
let place, error;
try {
  vm.runInThisContext('\n\nnull.x', { filename: 'made-up.js' });
} catch (e) {
  [place] = e.stack.match(/made-up\.js:\d+/);
}
try { new vm.Script('a b'); } catch (e) { error = e.name; }
console.log(place, error);
const source = 'const f = () => 42; f()', cachedData = new vm.Script(source).createCachedData();
const again = new vm.Script(source, { cachedData });
console.log(!again.cachedDataRejected, again.runInThisContext());
