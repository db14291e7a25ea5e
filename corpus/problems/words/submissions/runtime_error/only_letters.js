const times = {};
for (const word of require("fs").readFileSync(0, "utf8").split(/\s+/).filter(Boolean)) {
  if (/[^a-zA-Z]/.test(word)) throw new Error(`what is ${word}?`);
  times[word] = (times[word] ?? 0) + 1;
}
console.log(Object.keys(times).sort().map((word) => `${word} ${times[word]}`).join("\n"));
