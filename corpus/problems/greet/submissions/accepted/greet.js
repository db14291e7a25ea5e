const [name, loud] = process.argv.slice(2);
const text = `Hello, ${name}!`;
console.log(loud ? text.toUpperCase() : text);
