let n = Number(require("fs").readFileSync(0, "utf8"));
for (let p = 2; p * p <= n; p++) for (; n % p === 0; n /= p) console.log(p);
if (n > 1) console.log(n);
