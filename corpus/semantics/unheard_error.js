// @benign unheard_error.js
// @what an error event that nobody hears ends the program with 1, after what it said before; the error is on stderr
// @limits cpu=5 wall=10
// @expect exit=1
// @expect out=heard 1\nwarned DEP9 DeprecationWarning\nexit 1
// @expect stderr=Unhandled 'error' event
const { EventEmitter } = require('events');
const emitter = new EventEmitter();
emitter.once('x', (n) => console.log('heard', n));
emitter.emit('x', 1);
emitter.emit('x', 2);
process.on('warning', (warning) => {
  console.log('warned', warning.code, warning.name);
  emitter.emit('error', new Error('nobody hears'));
});
process.on('exit', (code) => console.log('exit', code));
process.emitWarning('old', 'DeprecationWarning', 'DEP9');
