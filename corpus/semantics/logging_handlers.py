# @benign logging_handlers.py
# @what logging to stderr, to rotated files and through a queue and its thread, with the place and the error in the line
# @limits cpu=5 wall=10
# @expect exit=0
# @expect out=['app.log', 'app.log.1', 'app.log.2'] True\nERROR main.py:31 kůň\n['INFO one', 'WARNING two']
# @expect stderr=ZeroDivisionError:
import io
import logging
import logging.handlers
import os
import queue

log = logging.getLogger('app')
log.setLevel(logging.DEBUG)
os.mkdir('logs')
rotating = logging.handlers.RotatingFileHandler('logs/app.log', maxBytes=1000, backupCount=2, encoding='utf-8')
log.addHandler(rotating)
for i in range(100):
    log.debug('line %d with some text to fill the file', i)
print(sorted(os.listdir('logs')), all(e.stat().st_size <= 1000 for e in os.scandir('logs')))
log.removeHandler(rotating)

stream = io.StringIO()
for handler, form in ((logging.StreamHandler(), '%(message)s'),
                      (logging.StreamHandler(stream), '%(levelname)s %(filename)s:%(lineno)d %(message)s')):
    handler.setFormatter(logging.Formatter(form))
    log.addHandler(handler)
try:
    1 // 0
except ZeroDivisionError:
    log.exception('kůň')  # line 31
print(stream.getvalue().splitlines()[0])

channel, sink = queue.Queue(), logging.handlers.BufferingHandler(100)
listener = logging.handlers.QueueListener(channel, sink)
log.handlers[:] = [logging.handlers.QueueHandler(channel)]
listener.start()
log.info('one'), log.warning('two')
listener.stop()
print([f'{r.levelname} {r.getMessage()}' for r in sink.buffer])
