"""What an attack costs the honest program next to it: `over_http.py --beside`.

For each hostile program two honest ones of a fixed size, one that computes and one that works with small files, pipes and a child process,
are run alone, then beside the attack for as long as that goes on (it is started again until there are samples enough), then alone again.
Each answer must be right, and the median of `run.usage.wall_time_us` beside the attack at most twice the median alone. A machine has other
work too: a program that is over it is measured again, and counts when it is over it each time."""
import json, statistics, threading, time

MOST = 2.0      # times slower
TRIES = 4       # the first, and three more for an offender
ALONE = 3       # runs of each honest program before, and as many after
BESIDE = 5      # runs of each honest program while the attack goes on, at least
LONGEST = 20.0  # seconds for which an attack is started again
VICTIMS = {
    'computing': ('''
total = 0
for i in range(1_800_000): total = (total * 31 + i) % 1_000_003
print(total)
''', '81534\n'),
    'files': ('''
import os, subprocess
seen = 0
for turn in range(18):
    for i in range(60):
        with open(f'small-{i}', 'w') as f: f.write(f'{turn} {i}\\n' * 20)
    for i in range(60):
        with open(f'small-{i}') as f: seen += len(f.read())
        os.unlink(f'small-{i}')
    seen += len(subprocess.run(['/bin/cat'], input=b'x' * 100_000, capture_output=True).stdout)
print(seen)
''', '1914000\n'),
}

def victim(engine, name):
    """-> (microseconds, complaint or None)"""
    source, answer = VICTIMS[name]
    status, _, a, _ = engine.run({'language': 'python', 'source': source, 'stdin': ''})
    if status != 200: return None, f'{name}: HTTP {status} {str(a)[:150]}'
    run = a.get('run') or {}
    if a.get('verdict') != 'ok' or run['stdout'].get('text') != answer: return None, f"{name}: {a.get('verdict')}, {str(run)[:300]}"
    return run['usage']['wall_time_us'], None

def measure(engine, attack):
    """-> ({name: (median alone, median beside)}, complaints)"""
    alone, beside, wrong = {n: [] for n in VICTIMS}, {n: [] for n in VICTIMS}, []
    def sample(into):
        for name in VICTIMS:
            us, complaint = victim(engine, name)
            if complaint: wrong.append(complaint)
            else: into[name].append(us)
    for _ in range(ALONE): sample(alone)
    over, until = threading.Event(), time.monotonic() + LONGEST
    enough = lambda: min(map(len, beside.values())) >= BESIDE or time.monotonic() > until or len(wrong) > 3
    def again():
        try:
            while not enough():
                status, _, a, _ = engine.run(attack)
                if status != 200 or a.get('verdict') == 'engine_error': wrong.append(f'the attack: HTTP {status} {str(a)[:200]}')
        except OSError as e: wrong.append(f'the attack: {e}')
        finally: over.set()
    going = threading.Thread(target=again); going.start()
    while not over.is_set(): sample(beside)
    going.join()
    for _ in range(ALONE): sample(alone)
    few = [n for n in VICTIMS if len(beside[n]) < BESIDE]
    if few and not wrong: wrong.append(f"only {', '.join(f'{len(beside[n])} runs of {n}' for n in few)} beside it in {LONGEST:.0f} s, {BESIDE} are wanted")
    return {n: (statistics.median(alone[n] or [1]), statistics.median(beside[n] or [0])) for n in VICTIMS}, wrong

def one(engine, attack):
    """The best of the tries -> ({name: (alone, beside)}, its ratio, complaints)"""
    best, wrong = None, []
    for _ in range(TRIES):
        medians, wrong = measure(engine, attack)
        ratio = max(b / a for a, b in medians.values())
        if wrong: break
        if best is None or ratio < best[1]: best = medians, ratio
        if ratio <= MOST: break
    return *(best or (medians, ratio)), wrong

def main(engine, work, file):
    """Prints a line per program and the worst -> exit status"""
    import over_http
    log, failed = [], 0
    for d in work:
        stdin, _ = over_http.manifest.stdins(d)[0]
        try: medians, ratio, wrong = one(engine, over_http.request(d, stdin, 1))
        except OSError as e: medians, ratio, wrong = {}, 0, [f'engine gone: {e}']
        told = ', '.join(f'{n} {a / 1000:.0f} -> {b / 1000:.0f} ms' for n, (a, b) in medians.items())
        bad = wrong or ([f'{ratio:.2f} times slower beside it, {told}; at most {MOST:.1f} times'] if ratio > MOST else [])
        failed += bool(bad); log.append({'name': d['name'], 'ratio': round(ratio, 3), 'medians_us': medians, 'bad': bad})
        print('FAIL  ' if bad else 'beside', d['name'], '|', '; '.join(bad)[:400] or f'{ratio:.2f} times: {told}', flush=True)
    worst = sorted(log, key=lambda x: -x['ratio'])[:5]
    print('the worst neighbours:', ', '.join(f"{x['name']} {x['ratio']:.2f}" for x in worst))
    if file:
        with open(file, 'w') as f: json.dump(log, f, indent=1)
    print(f'{len(work) - failed} passed, {failed} failed')
    return bool(failed)
