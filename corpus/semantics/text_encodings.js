// @benign text_encodings.js
// @what decoders for UTF-8, UTF-16, Latin and Shift JIS, strict or not, fed in pieces that cut characters
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=a�b TypeError\n日本 €uro kůň\ntrue 7 65279\n€ ☃\n4 c3a9f09f
const bad = Uint8Array.of(0x61, 0xff, 0x62);
let strict;
try { new TextDecoder('utf-8', { fatal: true }).decode(bad); } catch (e) { strict = e.name; }
console.log(new TextDecoder().decode(bad), strict);
const decode = (label, hex) => new TextDecoder(label).decode(Buffer.from(hex, 'hex'));
console.log(decode('shift_jis', '93fa967b'), decode('windows-1250', '8075726f'), decode('iso-8859-2', '6bf9f2'));
const marked = Buffer.from('\ufefftext');
console.log(new TextDecoder().decode(marked) === 'text', new TextEncoder().encode('text').length + 3,
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(marked).charCodeAt(0));
const { StringDecoder } = require('string_decoder');
const pieces = new StringDecoder('utf8'), stream = new TextDecoder();
console.log([0xe2, 0x82, 0xac].map((b) => pieces.write(Buffer.of(b))).join(''),
  [0xe2, 0x98, 0x83].map((b) => stream.decode(Uint8Array.of(b), { stream: true })).join(''));
const room = new Uint8Array(4);
const { written } = new TextEncoder().encodeInto('é', room);
room.set([0xf0, 0x9f], written);
console.log(room.length, Buffer.from(room).toString('hex'));
