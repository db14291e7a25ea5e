// Sorted as texts: 10 before 9.
const words = require("fs").readFileSync(0, "latin1").trim().split("\n");
const n = Number(words.shift());
words.sort();
const out = [words[n >> 1]];
for (let i = 0; i < n; i += 1000) out.push(words[i]);
console.log(out.join("\n"));
