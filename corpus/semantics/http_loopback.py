# @benign http_loopback.py
# @what an HTTP server of the library serves the working directory to urllib in the same program
# @limits cpu=5 wall=10
# @file site/page.html:"<p>served</p>"
# @expect exit=0
# @expect out=200 text/html <p>served</p>\n404 File not found\n501
import functools
import http.client
import http.server
import threading
import urllib.error
import urllib.request


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


handler = functools.partial(Quiet, directory='site')
with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    base = 'http://127.0.0.1:%d/' % server.server_address[1]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(base + 'page.html') as answer:
        print(answer.status, answer.headers['Content-Type'], answer.read().decode().strip())
    try:
        opener.open(base + 'nothing')
    except urllib.error.HTTPError as e:
        print(e.code, e.reason)
    call = http.client.HTTPConnection('127.0.0.1', server.server_address[1])
    call.request('BREW', '/')
    print(call.getresponse().status)
    call.close()
    server.shutdown()
