#!/usr/bin/env python3
"""A TCP proxy on loopback that spoils connections on command.

    chaos.py HOST:PORT [LISTEN-PORT]      prints "listening PORT control PORT", then serves until stdin ends or `quit`
                                          (with `< /dev/null` it serves until it is killed)

Commands, one a line, on stdin or on the control port; each is answered by a line "ok ..." or "error ...".
    delay MS        each way, from now on (0: none)      rate BYTES      a second and direction (0: no limit)
    stall           nothing passes, connections stay     resume          undoes it
    cut             resets all connections               fin             closes them politely
    refuse          resets every new connection          accept          undoes it, and `silent`
    silent          takes new connections, never connects them anywhere
    once N          resets the next connection that has carried N bytes from the target
    target HOST:PORT   new connections go there          stat            only counts
    quit
"""
import asyncio
import contextlib
import os
import socket
import stat
import struct
import sys
import time

BLOCK = 65536


class Line:
    """One connection through the proxy."""

    def __init__(self, proxy, near, far):
        self.proxy, self.near, self.far = proxy, near, far
        self.down = 0

    def reset(self):
        for writer in (self.near, self.far):
            reset(writer)

    def close(self):
        for writer in (self.near, self.far):
            with contextlib.suppress(OSError, RuntimeError):
                writer.close()

    async def pump(self, reader, writer, downwards):
        """Reading goes on while earlier blocks wait their time, so that a delay costs no throughput."""
        blocks = asyncio.Queue(256)

        async def fill():
            with contextlib.suppress(OSError):
                while data := await reader.read(BLOCK):
                    await blocks.put((time.monotonic(), data))
            await blocks.put((time.monotonic(), b""))

        filler = asyncio.create_task(fill())
        try:
            while True:
                came, data = await blocks.get()
                wait = came + self.proxy.delay - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                await self.proxy.going.wait()
                if not data:
                    with contextlib.suppress(OSError, RuntimeError):
                        writer.write_eof()
                    return
                if self.proxy.rate:
                    await asyncio.sleep(len(data) / self.proxy.rate)
                    await self.proxy.going.wait()
                writer.write(data)
                await writer.drain()
                self.count(len(data), downwards)
        finally:
            filler.cancel()

    def count(self, size, downwards):
        if downwards:
            self.down += size
            self.proxy.down += size
            if self.proxy.once is not None and self.down >= self.proxy.once:
                self.proxy.once = None
                self.reset()
        else:
            self.proxy.up += size


def reset(writer):
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def address(text):
    host, _, port = text.rpartition(":")
    return host or "127.0.0.1", int(port)


class Proxy:
    def __init__(self, target):
        self.target = address(target)
        self.delay, self.rate, self.mode, self.once = 0.0, 0.0, "accept", None
        self.up = self.down = self.taken = 0
        self.going = asyncio.Event()
        self.going.set()
        self.lines, self.waiting = set(), set()
        self.over = asyncio.Event()

    async def serve(self, reader, writer):
        self.taken += 1
        if self.mode == "refuse":
            reset(writer)
            return
        if self.mode == "silent":
            self.waiting.add(writer)
            with contextlib.suppress(OSError):
                while await reader.read(BLOCK):
                    pass
            self.waiting.discard(writer)
            writer.close()
            return
        try:
            far_reader, far = await asyncio.open_connection(*self.target)
        except OSError:
            reset(writer)
            return
        line = Line(self, writer, far)
        self.lines.add(line)
        with contextlib.suppress(OSError, RuntimeError):
            await asyncio.gather(line.pump(reader, far, False), line.pump(far_reader, writer, True))
        self.lines.discard(line)
        line.close()

    def command(self, words):
        name, argument = words[0], words[1] if len(words) > 1 else None
        if name == "delay":
            self.delay = float(argument) / 1000
        elif name == "rate":
            self.rate = float(argument)
        elif name == "once":
            self.once = int(argument)
        elif name == "target":
            self.target = address(argument)
        elif name == "stall":
            self.going.clear()
        elif name == "resume":
            self.going.set()
        elif name in ("refuse", "accept", "silent"):
            self.mode = name
        elif name == "cut":
            for line in list(self.lines):
                line.reset()
            for writer in list(self.waiting):
                reset(writer)
        elif name == "fin":
            for line in list(self.lines):
                line.close()
        elif name == "quit":
            self.over.set()
        elif name != "stat":
            return "error no such command: %s" % name
        return "ok connections=%d taken=%d up=%d down=%d mode=%s" % (len(self.lines), self.taken, self.up, self.down,
                                                                     self.mode)

    async def obey(self, reader, answer):
        while line := await reader.readline():
            words = line.decode("utf-8", "replace").split()
            if words:
                try:
                    text = self.command(words)
                except (TypeError, ValueError):
                    text = "error bad argument: %s" % " ".join(words)
                await answer(text + "\n")

    async def control(self, reader, writer):
        async def answer(text):
            writer.write(text.encode())
            await writer.drain()

        with contextlib.suppress(OSError):
            await self.obey(reader, answer)
        writer.close()

    async def from_stdin(self):
        async def answer(text):
            print(text, end="", flush=True)

        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await self.obey(reader, answer)
        self.over.set()


async def main():
    proxy = Proxy(sys.argv[1])
    listen = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", listen)
    control = await asyncio.start_server(proxy.control, "127.0.0.1", 0)
    print("listening %d control %d" % (server.sockets[0].getsockname()[1], control.sockets[0].getsockname()[1]),
          flush=True)
    kind = os.fstat(0).st_mode
    talk = None
    if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind) or os.isatty(0):
        talk = asyncio.create_task(proxy.from_stdin())
    await proxy.over.wait()
    if talk:
        talk.cancel()
    os._exit(0)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
