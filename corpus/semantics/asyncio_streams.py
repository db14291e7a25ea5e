# @benign asyncio_streams.py
# @what servers and clients in one loop, back-pressure, signals, time-outs, cancellation, a shell fed through its stdin
# @limits cpu=5 wall=15
# @expect exit=0
# @expect out=1048576 True\nunix hello\nSIGUSR1\nTimeoutError CancelledError\n6 0\n[0, 1, 4, 9]
import asyncio
import os
import signal


async def count(reader, writer):
    total = 0
    while piece := await reader.read(65536):
        total += len(piece)
    writer.write(b'%d' % total)
    writer.close()


async def main():
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(count, '127.0.0.1', 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for _ in range(64):
        writer.write(bytes(16384))
        await writer.drain()
    writer.write_eof()
    print((await reader.read()).decode(), writer.get_extra_info('peername') is not None)
    writer.close(), server.close()

    server = await asyncio.start_unix_server(lambda r, w: (w.write(b'unix hello'), w.close()), 'a.sock')
    reader, writer = await asyncio.open_unix_connection('a.sock')
    print((await reader.read()).decode())
    writer.close(), server.close()

    came = loop.create_future()
    loop.add_signal_handler(signal.SIGUSR1, came.set_result, 'SIGUSR1')
    os.kill(os.getpid(), signal.SIGUSR1)
    print(await came)

    sleeper = asyncio.create_task(asyncio.sleep(60))
    try:
        await asyncio.wait_for(asyncio.shield(sleeper), 0.02)
    except asyncio.TimeoutError:
        sleeper.cancel()
        print('TimeoutError', type((await asyncio.gather(sleeper, return_exceptions=True))[0]).__name__)
    shell = await asyncio.create_subprocess_shell('wc -c', stdin=-1, stdout=-1)
    out, _ = await shell.communicate(b'sixsix')
    print(out.decode().strip(), shell.returncode)
    print(await asyncio.gather(*(loop.run_in_executor(None, lambda i=i: i * i) for i in range(4))))


asyncio.run(main())
