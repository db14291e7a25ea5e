// @benign output_then_killed.js
// @what what a pipe holds (64 KiB) goes out at once, and is kept when SIGKILL follows
// @limits cpu=5 wall=10
// @expect signal=SIGKILL
// @expect outlen=60001
// @expect stderr=said on stderr
console.error('said on stderr');
process.stdout.write('x'.repeat(60000));
process.stdout.write('!');
process.kill(process.pid, 'SIGKILL');
