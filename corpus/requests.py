#!/usr/bin/env python3
"""Print what `cargo xtask soak` sends: one JSON object per line for each program of benign/, semantics/ and hostile/, made from its header.
usage: requests.py [DIR ...]      folders of programs (default: the three beside this file)
 name, hostile, language          which program
 request                          the body of POST /v1/executions, as over_http.py sends it
 families                         the families of verdicts that are allowed (OK, RTE, TLE, MLE, OLE, CE)
 exit, signal, stdout             what an honest program must end with, null where its header does not say
 absent                           patterns of what must not stand on a hostile program's standard output, such as ESCAPED"""
import json, os, re, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import manifest, over_http

SCALE = 3    # of all time limits: several run at once, and the question is not how fast they are. Attacks on time get less in xtask.

def lines(d):
    for stdin, extra in manifest.stdins(d):
        want = {**d['expect'], **extra}
        row = {'name': d['name'], 'hostile': d['kind'] == 'hostile', 'language': d['language'], 'request': over_http.request(d, stdin, SCALE)}
        if row['hostile']:
            absent = [c.split('~', 1)[1] for c in (d.get('check') or '').split(' ; ') if c.startswith('stdout!~')]
            yield {**row, 'families': d['verdicts'], 'exit': None, 'signal': None, 'stdout': None, 'absent': absent if d.get('severity') != 'policy' else []}
        else:
            fails = 'signal' in want or want.get('exit', '0') != '0'
            yield {**row, 'families': ['RTE'] if fails else ['OK'], 'exit': int(want['exit']) if 'exit' in want else None, 'signal': want.get('signal'),
                   'stdout': want['out'].rstrip('\n') if 'out' in want else None, 'absent': []}

def main():
    large = False
    for folder in sys.argv[1:] or [f'{manifest.HERE}/{k}' for k in ('benign', 'semantics', 'hostile')]:
        for f in sorted(os.listdir(folder)):
            if os.path.splitext(f)[1] not in manifest.LANG: continue
            d = manifest.parse(f'{folder}/{f}')
            # One that needs a neighbour or an optional package is not itself alone.
            if d.get('with') or 'opt' in d['limits']: continue
            # Ten programs read 10 MB of input: one of them is enough.
            if d['stdin'] == '@10MB-digits':
                if large: continue
                large = True
            for row in lines(d): print(json.dumps(row, ensure_ascii=False))
if __name__ == '__main__': main()
