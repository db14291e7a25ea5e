# @hostile outputs_names.py
# @group fs
# @tries output files whose names are options, commands, other folders' paths in another encoding, terminal sequences, JSON or not UTF-8: they come back as they are, or not at all
# @limits cpu=4 wall=10 mem=256 procs=64 out=1 disk=64
# @expect OK,RTE   (never an internal error)
# @outputs **
# @check output~^-rf 3$ ; output~^--help 3$
# @severity hard
# @layer collector, api
# @invariants up noproc nowrite noleft return<=13s
import os
for name in (b'-rf', b'--help', b'-', b'$(reboot)', b'`id`', b';id', b'|id', b'*', b'?', b'[a', b'{a,b}', b'~', b'!', b'a\nb', b'\r\nX-Injected: 1', b'\x1b[2J', b'\xff\xfe', b'\xc0\xae\xc0\xae\xc0\xaf',
             b'..\\..\\etc', b'"}],"verdict":"ok"', b'\xe2\x80\xaegnp', b'n' * 255, b'...', b'. ', b'con', b'%2e%2e%2f', b'\xed\xa0\x80'):
    with open(name, 'wb') as f: f.write(b'me\n')
print(len(os.listdir(b'.')))
