// @benign exit_255.js
// @what exit code 255 set late: beforeExit may start more work, exit only hears; both say in which order they came
// @limits cpu=5 wall=10
// @expect exit=255
// @expect out=main\nbeforeExit 0\nmore work\nbeforeExit 5\nexit 5
let more = 1;
process.on('beforeExit', (code) => {
  console.log('beforeExit', code);
  if (more-- > 0) setTimeout(() => { console.log('more work'); process.exitCode = 5; }, 1);
});
process.on('exit', (code) => {
  console.log('exit', code);
  setTimeout(() => console.log('never'), 0);
  process.exitCode = -1;
});
console.log('main');
