// @benign exact_numbers.js
// @what big integers to the last digit, doubles to the last bit, and the conversions between texts and numbers
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=2568 2658271574788448768043625811014615890319638528000000000n\n0.30000000000000004 5e-324 0 true\n-8n -7n -3n 255n\nTypeError 9007199254740992 9007199254740993n\n1e+21 0.1 123.46 -0 NaN\n[ 0, 8, NaN, 31, 17 ]
const factorial = (n) => (n < 2n ? 1n : n * factorial(n - 1n));
console.log(String(factorial(1000n)).length, factorial(44n));
console.log(0.1 + 0.2, Number.MIN_VALUE, Number.MIN_VALUE / 2, Object.is(-0, 0) === false);
console.log(-15n >> 1n, BigInt.asIntN(8, 249n), -7n / 2n, BigInt.asUintN(8, -1n));
let mixed;
try { mixed = 1n + 1; } catch (e) { mixed = e.name; }
console.log(mixed, 2 ** 53 + 1, 2n ** 53n + 1n);
console.log(1e21, Number((0.1).toPrecision(17)), (123.456).toFixed(2), -0, Math.max(NaN, 1));
console.log(['', ' 8 ', '8px', '0x1f', '0b10001'].map(Number));
