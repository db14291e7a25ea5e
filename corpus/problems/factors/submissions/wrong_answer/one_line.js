let n = Number(require("fs").readFileSync(0, "utf8"));
const found = [];
for (let p = 2; p * p <= n; p++) for (; n % p === 0; n /= p) found.push(p);
if (n > 1) found.push(n);
console.log(found.join(" "));
