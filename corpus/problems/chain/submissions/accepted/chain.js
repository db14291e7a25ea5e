const [, ...x] = require("fs").readFileSync(0, "utf8").split(/\s+/).filter(Boolean).map(Number);
x.sort((a, b) => a - b);
const best = [];
x.forEach((number, i) => {
  best[i] = 1;
  for (let j = 0; j < i; j++) if (number % x[j] === 0) best[i] = Math.max(best[i], best[j] + 1);
});
console.log(Math.max(...best));
