// What is no UTF-8 does not come back as it came.
process.stdout.write([...require("fs").readFileSync(0, "utf8")].reverse().join(""));
