const words = require("fs").readFileSync(0, "latin1").split("\n");
const n = Number(words[0]);
const numbers = Int32Array.from({ length: n }, (_, i) => Number(words[i + 1])).sort();
const out = [numbers[n >> 1]];
for (let i = 0; i < n; i += 1000) out.push(numbers[i]);
console.log(out.join("\n"));
