console.log(`Hello, ${process.argv[2].split(" ")[0]}!`);
