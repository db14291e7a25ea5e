// @benign stdin_sync.js
// @what readFileSync(0) takes 10 MB at once, as contest solutions do; a pipe that does not block would give EAGAIN
// @limits cpu=5 wall=10
// @stdin @10MB-digits
// @expect exit=0
// @expect out=10485760 true 6740845
const fs = require('fs');
const text = fs.readFileSync(0, 'latin1');
let sum = 0;
for (let i = 0; i < text.length; i += 7) sum += text.charCodeAt(i) - 48;
console.log(text.length, text.endsWith('789'), sum);
