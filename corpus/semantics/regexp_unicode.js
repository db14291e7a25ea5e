// @benign regexp_unicode.js
// @what property classes, the u and y flags, names, looking behind, and all matches with their places
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=[ 'žluťoučký', 'kůň', '東京' ]\nfalse true 1 2\n2024 03 15/03/2024\n[ '9.50' ] true\n[ [ 0, 'aa' ], [ 3, 'a' ] ]\nnull a_b_c
console.log('žluťoučký kůň, 東京!'.match(/\p{L}+/gu));
console.log(/^.$/.test('𝄞'), /^.$/u.test('𝄞'), '𝄞'.match(/./gu).length, '𝄞'.match(/./g).length);
const date = /(?<y>\d{4})-(?<m>\d\d)-(?<d>\d\d)/;
const { y, m } = '2024-03-15'.match(date).groups;
console.log(y, m, '2024-03-15'.replace(date, '$<d>/$<m>/$<y>'));
console.log('$9.50 €7.20'.match(/(?<=\$)\d+\.\d+/g), /a.b/s.test('a\nb'));
console.log([...'aa-a'.matchAll(/a+/g)].map((found) => [found.index, found[0]]));
const sticky = /b/y;
console.log(sticky.exec('ab'), 'a b\tc'.replaceAll(/\s/g, '_'));
