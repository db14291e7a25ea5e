// @benign buffers.js
// @what encodings of bytes, views on one memory, byte order, moving a buffer, numbers beyond 53 bits
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=xb7DqQ== xb7DqQ c5bec3a9 "Å¾Ã©" 4\n99 99 1\n258 513 -1n 18446744073709551615n\n0 8 TypeError\n04030201 true -1\n[ 255, 0, 255 ] [ 1, 0, 254 ]
const bytes = Buffer.from('žé');
console.log(bytes.toString('base64'), bytes.toString('base64url'), bytes.toString('hex'),
  JSON.stringify(bytes.toString('latin1')), bytes.length);
const whole = Buffer.from([1, 2, 3]), part = whole.subarray(1), copy = Buffer.from(whole);
part[0] = 99;
console.log(whole[1], part[0], copy[1] - 1);
const view = new DataView(new ArrayBuffer(8));
view.setUint16(0, 258);
const order = [view.getUint16(0), view.getUint16(0, true)];
view.setBigInt64(0, -1n);
console.log(...order, view.getBigInt64(0), view.getBigUint64(0));
const moved = new ArrayBuffer(8), received = structuredClone(moved, { transfer: [moved] });
let error;
try { new Uint8Array(moved); } catch (e) { error = e.name; }
console.log(moved.byteLength, received.byteLength, error);
console.log(Buffer.from([1, 2, 3, 4]).swap32().toString('hex'), Buffer.concat([whole, copy]).includes(copy),
  Buffer.compare(Buffer.from('a'), Buffer.from('b')));
console.log([...Uint8ClampedArray.of(300, -5, 254.6)], [...Uint8Array.of(257, 256, -2)]);
