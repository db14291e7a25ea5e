const times = {};
for (const word of require("fs").readFileSync(0, "utf8").split(/\s+/).filter(Boolean)) times[word] = (times[word] ?? 0) + 1;
console.log(Object.keys(times).sort().map((word) => `${word}\t${times[word]}`).join(" "));
