const maze = require("fs").readFileSync(0, "utf8").split("\n");
const row = maze.findIndex((line) => line.includes("S"));
const ways = new Map([[`${row},${maze[row].indexOf("S")}`, ""]]);
let found = "-";
for (const [place, way] of ways) {
  const [y, x] = place.split(",").map(Number);
  if (maze[y][x] === "T") {
    found = way;
    break;
  }
  for (const [step, down, right] of [["N", -1, 0], ["W", 0, -1], ["S", 1, 0], ["E", 0, 1]]) {
    const next = `${y + down},${x + right}`;
    const there = maze[y + down]?.[x + right];
    if (there !== undefined && there !== "#" && !ways.has(next)) ways.set(next, way + step);
  }
}
console.log(found);
