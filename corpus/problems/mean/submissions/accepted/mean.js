const [n, ...x] = require("fs").readFileSync(0, "utf8").split(/\s+/).filter(Boolean).map(Number);
const mean = x.reduce((sum, value) => sum + value, 0) / n;
const squares = x.reduce((sum, value) => sum + (value - mean) ** 2, 0);
console.log(mean, Math.sqrt(squares / n));
