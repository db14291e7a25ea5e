// @benign crypto_random.js
// @what random bytes from the library, the web's interface and the device; digests, keys and ciphers with known answers
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=5 true\nba7816bf 632c2812 225009a8\nsecret at 16 Unsupported state or unable to authenticate data\nsigned true false\ntrue 256
const crypto = require('crypto');
const fs = require('fs');
const device = fs.openSync('/dev/urandom'), read = Buffer.alloc(16);
fs.readSync(device, read);
const samples = [crypto.randomBytes(16), crypto.webcrypto.getRandomValues(Buffer.alloc(16)), read,
  Buffer.from(crypto.randomUUID().replaceAll('-', ''), 'hex'), crypto.randomFillSync(Buffer.alloc(16))];
console.log(new Set(samples.map(String)).size, crypto.randomInt(3) < 3);
console.log(crypto.createHash('sha256').update('abc').digest('hex').slice(0, 8),
  crypto.pbkdf2Sync('password', 'salt', 1000, 4, 'sha256').toString('hex'),
  crypto.scryptSync('', '', 4, { N: 1024, r: 8, p: 1 }).toString('hex'));
const key = Buffer.alloc(32, 1), iv = Buffer.alloc(12, 2);
const cipher = crypto.createCipheriv('aes-256-gcm', key, iv);
const sealed = Buffer.concat([cipher.update('secret'), cipher.final()]), tag = cipher.getAuthTag();
const open = (box) => {
  const d = crypto.createDecipheriv('aes-256-gcm', key, iv).setAuthTag(tag);
  return d.update(box, undefined, 'utf8') + d.final('utf8');
};
let forged;
try { open(sealed.map((b) => b ^ 1)); } catch (e) { forged = e.message; }
console.log(open(sealed), 'at', tag.length, forged);
const { privateKey, publicKey } = crypto.generateKeyPairSync('ed25519');
const signature = crypto.sign(null, Buffer.from('text'), privateKey);
console.log('signed', ...['text', 'test'].map((t) => crypto.verify(null, Buffer.from(t), publicKey, signature)));
const { subtle } = crypto.webcrypto;
subtle.digest('SHA-256', Buffer.from('abc')).then((d) => console.log(d.byteLength === 32, d.byteLength * 8));
