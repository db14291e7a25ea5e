// Numbers above 2^53 lose their last digits.
const [a, b] = require("fs").readFileSync(0, "utf8").split(/\s+/).filter(Boolean).map(Number);
console.log(String(a + b));
