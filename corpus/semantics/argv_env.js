// @benign argv_env.js
// @what arguments come as they are, the environment is text that can be changed, children inherit it or get another
// @limits procs=64 cpu=5 wall=10
// @args a b||--inspect-brk|ünï 𝄞|$HOME|*
// @expect exit=0
// @expect out=[ 'a b', '', '--inspect-brk', 'ünï 𝄞', '$HOME', '*' ]\nundefined string 1 false\nsh: ž=1 unset\nnode: [ 'MARK' ] -x\nkeys true
const { execFileSync } = require('child_process');
console.log(process.argv.slice(2));
process.env.MARK = 'ž=1';
process.env.NUMBER = 1;
console.log(process.env.NOTHING, typeof process.env.NUMBER, process.env.NUMBER, 'mark' in process.env);
delete process.env.NUMBER;
console.log('sh:', execFileSync('sh', ['-c', 'echo "$MARK" ${NUMBER-unset}']).toString().trim());
const child = 'console.log(Object.keys(process.env).filter((k) => !k.startsWith("NODE")), process.argv[1])';
const seen = execFileSync(process.execPath, ['-e', child, '--', '-x'], { env: { MARK: '1' } });
console.log('node:', seen.toString().trim());
console.log('keys', ['PATH', 'HOME', 'LANG'].every((key) => Object.keys(process.env).includes(key)));
