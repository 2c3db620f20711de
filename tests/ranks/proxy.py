#!/usr/bin/env python3
"""A bad link between ranks that meet by a file: passes on what comes in pieces of a random size, each after a delay.

  proxy.py MEET OTHER PID CONTROL     waits for the file MEET, writes OTHER, which leads here, and ends with the process PID

While the file CONTROL says "hold", nothing is passed on except that a side has closed; what is held then is lost. "drop" closes
all connections.
"""
import asyncio
import os
import random
import sys

meet, other, pid, control = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
random.seed(17)


def wish():
    try:
        with open(control, encoding='utf-8') as file:
            return file.read().strip()
    except OSError:
        return ''


async def pass_on(queue, writer):
    try:
        while data := await queue.get():
            while data:
                await asyncio.sleep(0.005 if random.random() < 0.98 else 0.2)  # as when a packet is lost and sent again
                while wish() == 'hold':
                    await asyncio.sleep(0.02)
                n = random.randint(1, 4096)
                writer.write(data[:n])
                await writer.drain()
                data = data[n:]
    except OSError:
        pass


async def pump(reader, writer):
    queue = asyncio.Queue()
    passing = asyncio.create_task(pass_on(queue, writer))
    try:
        while data := await reader.read(65536):
            queue.put_nowait(data)
    except OSError:
        pass
    if wish() == 'hold':
        passing.cancel()
    else:
        queue.put_nowait(b'')
        await passing
    writer.close()


async def watch(writers, pumps):
    """Until the process has gone and what it sent is passed on, or connections are to be dropped."""
    while wish() != 'drop' and (os.path.exists(f'/proc/{pid}') or not all(pump.done() for pump in pumps)):
        await asyncio.sleep(0.02)
    for writer in writers:
        writer.transport.abort()


async def main():
    while not (os.path.exists(meet) and open(meet, encoding='utf-8').read().endswith('end\n')):
        await asyncio.sleep(0.02)
    with open(meet, encoding='utf-8') as file:
        first, place, *rest = file.read().splitlines()
    secret, host, port = place.split()
    writers, pumps = [], []

    async def connect(reader, writer):
        far_reader, far_writer = await asyncio.open_connection('127.0.0.1', int(port))
        writers.extend((writer, far_writer))
        pumps.extend(asyncio.create_task(pump(*way)) for way in ((reader, far_writer), (far_reader, writer)))
        await asyncio.wait(pumps[-2:])

    server = await asyncio.start_server(connect, '127.0.0.1', 0)
    here = server.sockets[0].getsockname()[1]
    with open(other + '.part', 'w', encoding='utf-8') as file:
        file.write('\n'.join([first, f'{secret} {host} {here}', '127.0.0.1', 'end', '']))
    os.rename(other + '.part', other)
    await watch(writers, pumps)


asyncio.run(main())
