const [n, room, ...rest] = require("fs").readFileSync(0, "utf8").split(/\s+/).filter(Boolean).map(Number);
const best = new Float64Array(room + 1);
for (let i = 0; i < n; i++) {
  const [weight, value] = rest.slice(2 * i, 2 * i + 2);
  for (let w = weight; w <= room; w++) best[w] = Math.max(best[w], best[w - weight] + value);
}
console.log(best[room] + 1);
