const walk = (city) => walk(city + 1) + 1;
console.log(walk(0));
