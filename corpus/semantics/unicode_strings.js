// @benign unicode_strings.js
// @what strings are UTF-16: code units against code points, normal forms, case, what a reader calls a character
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=2 1 119070 d834 dd1e\nfalse true\nSTRASSE i̇ ΣΊΣΥΦΟΣ σίσυφος\n[ 'n', '̈', 'a' ] 2 1\nabc%C4%8D č ☃
const clef = '𝄞';
console.log(clef.length, [...clef].length, clef.codePointAt(0),
  ...[...Array(2).keys()].map((i) => clef.charCodeAt(i).toString(16)));
console.log('é' === 'e\u0301', 'é' === 'e\u0301'.normalize('NFC'));
console.log('straße'.toUpperCase(), 'İ'.toLowerCase(), 'Σίσυφος'.toUpperCase(), 'ΣΊΣΥΦΟΣ'.toLowerCase());
const characters = new Intl.Segmenter('en', { granularity: 'grapheme' });
const graphemes = (text) => [...characters.segment(text)].length;
console.log([...'n̈a'], graphemes('n̈a'), graphemes('👩‍👩‍👧'));
console.log(encodeURIComponent('abcč'), decodeURIComponent('%C4%8D'), '\u{2603}');
