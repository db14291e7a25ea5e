const n = Number(require("fs").readFileSync(0, "utf8"));
const rows = [];
const place = (column) => {
  if (column === n) return true;
  for (let row = 1; row <= n; row++) {
    if (rows.slice(0, column).every((other, left) => other !== row && Math.abs(other - row) !== column - left)) {
      rows[column] = row;
      if (place(column + 1)) return true;
    }
  }
  return false;
};
place(0);
console.log(rows.slice(0, n).join(" "));
