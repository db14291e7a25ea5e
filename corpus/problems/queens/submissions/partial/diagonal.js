const n = Number(require("fs").readFileSync(0, "utf8"));
console.log([...Array(n).keys()].map((column) => column + 2 - (column + 2 > n ? n : 0)).join(" "));
