// @benign signal_default.js
// @what SIGTERM without a handler ends the program, and is reported as that signal and not as 143
// @limits cpu=5 wall=10
// @expect signal=SIGTERM
// @expect out=before
console.log('before');
process.on('exit', () => console.log('never: a signal gives no time for this'));
process.kill(process.pid, 'SIGTERM');
setTimeout(() => console.log('never'), 9000);
