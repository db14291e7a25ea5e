#!/usr/bin/python3
"""restarts.py SOCKET TOKEN-FILE REQUESTS RESTARTS RUN-EVERY: callers on both sockets while systemd restarts engined.

Callers are ordinary ones: they keep their connection, send again where they are told to come again (503 with Retry-After)
or where the connection was closed before an answer began, and take everything else for a failure: a refused connection, a
reset, a cut answer, a run that was lost. One request in RUN-EVERY runs a program. The last line says what was counted.
"""
import http.client, json, socket, subprocess, sys, threading, time

SOCKET, TOKEN_FILE = sys.argv[1:3]
REQUESTS, RESTARTS, RUN_EVERY = map(int, sys.argv[3:6])
CLIENTS = 8
TOKEN = next(line.strip() for line in open(TOKEN_FILE) if line.startswith("engined_"))


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


def connection(number):
    return http.client.HTTPConnection("127.0.0.1", 7070, timeout=600) if number % 2 else Unix("localhost", timeout=600)


books = {"answered": 0, "runs": 0, "told to come again": 0, "closed before an answer began": 0}
failures, lock, turn = [], threading.Lock(), iter(range(REQUESTS))


def count(what):
    with lock:
        books[what] += 1


def ask(open_one, number, client):
    """Sends one request until it is answered; gives the connection back if that may be used again."""
    run = number % RUN_EVERY == 0
    # A busy host counts as CPU time of whoever has the emulated processor.
    limits = {"cpu_time_ms": 100_000, "wall_time_ms": 300_000}
    body = json.dumps({"language": "python", "source": f"print({number})", "limits": limits}) if run else None
    path = "/v1/executions" if run else "/v1/version"
    headers = {"Authorization": "Bearer " + TOKEN, "Content-Type": "application/json"}
    while True:
        conn = open_one or connection(client)
        open_one = None
        if conn.sock is None:
            conn.connect()
        try:
            conn.request("POST" if run else "GET", path, body, headers)
            answer = conn.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
            # The end of a connection, which http.client tells by an error of its own; a reset is none.
            if isinstance(error, ConnectionResetError) and not isinstance(error, http.client.RemoteDisconnected):
                raise
            conn.close()
            count("closed before an answer began")
            continue
        text = answer.read()
        if answer.status == 503 and answer.headers["Retry-After"]:
            count("told to come again")
            conn.close()
            time.sleep(0.5)
            continue
        if answer.status != 200:
            raise ValueError(f"{answer.status} {text[:300]}")
        if run:
            result = json.loads(text)
            if result["verdict"] != "ok" or result["run"]["stdout"]["text"] != f"{number}\n":
                raise ValueError(f"{text[:600]}")
            count("runs")
        count("answered")
        if conn.sock is None:
            return None
        return conn


def client(number):
    open_one = None
    while True:
        with lock:
            request = next(turn, None)
        if request is None or len(failures) > 10:
            return
        try:
            open_one = ask(open_one, request, number)
        except Exception as error:
            open_one = None
            with lock:
                failures.append(f"request {request}: {type(error).__name__} {error}")


began = time.monotonic()
threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
for thread in threads:
    thread.start()
restarts = 0
while any(thread.is_alive() for thread in threads):
    if restarts < RESTARTS and books["answered"] >= REQUESTS * (restarts + 1) // (RESTARTS + 1):
        # Whether the last one is settled or not.
        subprocess.run(["systemctl", "restart", "--no-block", "engined"], check=True)
        restarts += 1
    time.sleep(0.05)
for failure in failures:
    print("FAIL", failure)
took = time.monotonic() - began
told = ", ".join(f"{number} {what}" for what, number in books.items())
print(f"{REQUESTS} requests through {restarts} restarts in {took:.0f} s: {told}, {len(failures)} lost")
sys.exit(0 if not failures and books["answered"] == REQUESTS and restarts == RESTARTS else 1)
