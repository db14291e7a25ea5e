const names = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
for (const day of require("fs").readFileSync(0, "utf8").split(/\s+/).filter(Boolean)) {
  console.log(names[new Date(`${day}T00:00:00Z`).getUTCDay()]);
}
