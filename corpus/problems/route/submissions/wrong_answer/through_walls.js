const maze = require("fs").readFileSync(0, "utf8").split("\n");
const find = (letter) => {
  const row = maze.findIndex((line) => line.includes(letter));
  return [row, maze[row].indexOf(letter)];
};
const [[y, x], [toY, toX]] = [find("S"), find("T")];
const steps = (n, forth, back) => (n > 0 ? forth.repeat(n) : back.repeat(-n));
console.log(steps(toY - y, "S", "N") + steps(toX - x, "E", "W"));
