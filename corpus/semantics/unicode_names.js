// @benign unicode_names.js
// @what identifiers in many scripts; unlike Python's they are not normalised, so two look the same and are not
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=1 2 42 7 escaped\n[ 1, 1, 2, 4 ] SyntaxError
const \u0061bc = 'escaped';
const 数 = 42, ಠ_ಠ = 7;
const composed = new Function('é', 'e\u0301', 'return [é, e\u0301]');
console.log(...composed(1, 2), 数, ಠ_ಠ, abc);
let error;
try { new Function('const 1é = 1'); } catch (e) { error = e.name; }
console.log(Object.keys({ é: 1, 'e\u0301': 2, ключ: 3, 0: 4 }).map((key) => key.length), error);
