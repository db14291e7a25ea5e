# @benign random_hashes.py
# @what random bytes from the call, the devices and the library; digests and derived keys with known answers
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=6 distinct of 16 bytes\nba7816bf 7f9c2ba4 True\n632c2812 225009a8\n0.8444218515250481 True
import hashlib
import hmac
import os
import random
import secrets
import uuid

with open('/dev/urandom', 'rb') as u, open('/dev/random', 'rb') as r:
    samples = {os.urandom(16), os.getrandom(16), u.read(16), r.read(16), secrets.token_bytes(16), uuid.uuid4().bytes}
print(len(samples), 'distinct of', *{len(s) for s in samples}, 'bytes')
print(hashlib.sha256(b'abc').hexdigest()[:8], hashlib.shake_128(b'').hexdigest(4),
      hmac.compare_digest(hmac.new(b'k', b'm', 'sha512').digest(), hmac.digest(b'k', b'm', 'sha512')))
print(hashlib.pbkdf2_hmac('sha256', b'password', b'salt', 1000).hex()[:8],
      hashlib.scrypt(b'', salt=b'', n=1024, r=8, p=1).hex()[:8])
random.seed(0)
print(random.random(), 0 <= random.SystemRandom().random() < 1)
