// @benign questions.js
// @what a dialogue: readline asks, the answers wait in the pipe; then the end, at which a question stays unanswered
// @limits cpu=5 wall=10
// @stdin @hex:416e6e610a33340a
// @expect exit=0
// @expect out=name? age? Anna is 34\nmore? the end
const readline = require('readline');
(async () => {
  const talk = readline.createInterface({ input: process.stdin, output: process.stdout, terminal: false });
  const lines = [];
  const waiting = [];
  talk.on('line', (line) => (waiting.length ? waiting.shift()(line) : lines.push(line)));
  const ask = (question) => new Promise((answer) => {
    process.stdout.write(question);
    if (lines.length) answer(lines.shift()); else waiting.push(answer);
  });
  const name = await ask('name? '), age = Number(await ask('age? '));
  console.log(`${name} is ${age}`);
  talk.once('close', () => console.log('the end'));
  await ask('more? ');
  console.log('never');
})();
