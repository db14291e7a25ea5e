// @benign lone_surrogates.js
// @what a lone surrogate leaves the program as U+FFFD, a pair as four bytes, and bytes pass as they are
// @limits cpu=5 wall=10
// @expect exit=0
// @expect outhex=efbfbd0af09f98800aff00fe0a
process.stdout.write('\ud83d\n');
process.stdout.write('\ud83d\ude00\n');
process.stdout.write(Buffer.from([0xff, 0x00, 0xfe, 0x0a]));
