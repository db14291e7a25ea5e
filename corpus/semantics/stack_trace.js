// @benign stack_trace.js
// @what an uncaught error shows the file, the line and the way there on stderr; the code is 1, and exit handlers ran
// @limits cpu=5 wall=10
// @file lib/price.js:"exports.price\ =\ (item)\ =>\ ({\ tea:\ {\ cents:\ 300\ }\ })[item].cents;"
// @expect exit=1
// @expect out=tea 300\nlib/price.js:1 main.js:13\nexit 1
// @expect stderr=at order (
const { price } = require('./lib/price');

process.on('exit', (code) => console.log('exit', code));
function order(item) {
  try {
    console.log(item, price(item));
  } catch (e) {
    console.log(e.stack.match(/(lib\/price|main)\.js:\d+/g).slice(0, 2).join(' '));
    throw e;
  }
}
order('tea');
order('coffee');
