// @benign stdout_large.js
// @what a megabyte in lines and one large write; process.exit waits for the last, or what the pipe can't take is lost
// @limits cpu=5 wall=10
// @expect exit=3
// @expect outlen=1000000
for (let i = 0; i < 50000; i++) console.log(String(i).padStart(9, '0'));
process.stdout.write('x'.repeat(499990) + '\n');
process.stdout.write('the end.\n', () => process.exit(3));
