// Too slow for the last test.
const [, ...x] = require("fs").readFileSync(0, "utf8").split(/\s+/).filter(Boolean).map(Number);
x.sort((a, b) => a - b);
const longest = (last, i) => {
  let best = 0;
  for (; i < x.length; i++) if (x[i] % last === 0) best = Math.max(best, 1 + longest(x[i], i + 1));
  return best;
};
console.log(longest(1, 0));
