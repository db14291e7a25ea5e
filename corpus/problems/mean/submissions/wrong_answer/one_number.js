const [n, ...x] = require("fs").readFileSync(0, "utf8").split(/\s+/).filter(Boolean).map(Number);
console.log(x.reduce((sum, value) => sum + value, 0) / n);
