const [n, m, ...rest] = require("fs").readFileSync(0, "utf8").split(/\s+/).filter(Boolean).map(Number);
const best = Array(n).fill(Infinity);
best[0] = 0;
for (let changed = true; changed; ) {
  changed = false;
  for (let i = 0; i < 3 * m; i += 3) {
    const cost = best[rest[i]] + rest[i + 2];
    if (cost < best[rest[i + 1]]) {
      best[rest[i + 1]] = cost;
      changed = true;
    }
  }
}
console.log(best.map((cost) => (cost === Infinity ? "-" : cost)).join("\n"));
