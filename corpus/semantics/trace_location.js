// @benign trace_location.js
// @what the place of an error that nobody catches, before its message: file and line, with the cause beneath
// @limits cpu=5 wall=10
// @expect exit=1
// @expect out=before
// @expect stderr=main.js:11
console.log('before');
try {
  JSON.parse('{broken');
} catch (cause) {
  throw new Error('cannot read the settings', { cause });
}
