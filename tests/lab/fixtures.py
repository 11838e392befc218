#!/usr/bin/env python3
"""Services that a probe meets: good, slow, broken, silent. Loopback only.

    fixtures.py BASE TLS-FOLDER    HTTP on BASE, TLS on BASE+1 (good certificate), +2 (expired), +3 (for another name),
                                   +4 (ends in 3 days), +5 (unknown authority); plain TCP on BASE+6 (closes at once),
                                   +7 (says nothing), +8 (speaks garbage); TLS that demands a client certificate
                                   on +9 (1.3: after the handshake) and +10 (1.2: within it)

GET paths
    /health                 200 {"status":"UP",...}          /down       503 {"status":"DOWN"}
    /status/N               that status                      /empty      204
    /wrong                  200 {"status":"WRONG"}           /notjson    200, HTML
    /badjson                200, JSON cut in the middle      /hostile    200, body and headers with escape sequences
    /slow?ms=N              /health after N ms (1500)        /hang       never answers
    /drip?ms=N              a byte each N ms (200)           /huge?bytes=N  that many bytes (64 MiB)
    /redirect               302 to /health                   /loop       302 to itself
    /redirect-off           302 to another host              /cut        closes in the middle of the body
    /reset                  resets the connection            /auth       401 unless lab:lab-secret (basic)
    /echo                   request line, headers and body, as JSON (also POST and so on)
    /svc/NAME               as the control says: up (200), down (503), slow (1500 ms), hang, reset, wrong
    /count/NAME             how often /svc/NAME was asked
POST /control/NAME?state=up|down|slow|hang|reset|wrong
"""
import base64
import contextlib
import http.server
import json
import os
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
import urllib.parse

STATES = ("up", "down", "slow", "hang", "reset", "wrong")
state, count = {}, {}
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "lab-fixtures", ""

    def log_message(self, *_):
        pass

    def answer(self, code, body=b"", kind="application/json", headers=(), length=None):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(code)
        if code not in (204, 304):
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body) if length is None else length))
        for key, value in headers:
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def healthy(self, name="fixture"):
        self.answer(200, {"status": "UP", "service": name, "version": "1.4.2", "uptime": 12345,
                          "checks": [{"name": "db", "status": "UP", "ms": 3}, {"name": "queue", "status": "UP", "ms": 1}]},
                    headers=[("X-Request-Id", "lab-1"), ("Cache-Control", "no-store")])

    def down(self, name="fixture"):
        self.answer(503, {"status": "DOWN", "service": name, "reason": "database unreachable"})

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
        self.wfile = open(os.devnull, "wb")

    def hang(self):
        """Until the client goes away."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            while self.connection.recv(4096):
                pass

    def service(self, name):
        with lock:
            now = state.get(name, "up")
            count[name] = count.get(name, 0) + 1
        if now == "slow":
            time.sleep(1.5)
        {"up": lambda: self.healthy(name), "slow": lambda: self.healthy(name), "down": lambda: self.down(name),
         "hang": self.hang, "reset": self.reset,
         "wrong": lambda: self.answer(200, {"status": "WRONG", "service": name})}[now]()

    def drip(self, ms):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(1000):
            self.wfile.write(b".")
            self.wfile.flush()
            time.sleep(ms / 1000)

    def huge(self, size):
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(size))
        self.end_headers()
        block = b"x" * 65536
        while size > 0:
            self.wfile.write(block[:min(size, len(block))])
            size -= len(block)

    def hostile(self):
        self.answer(200, b'{"status":"UP\\u001b[2J","note":"\x1b]0;owned\x07\x1b[31mred \xff\xfe \xe2\x80\xaegnp"}',
                    headers=[("X-Note", "\x1b[5mblink")])

    def auth(self):
        wanted = "Basic " + base64.b64encode(b"lab:lab-secret").decode()
        if self.headers.get("Authorization") == wanted:
            self.healthy()
        else:
            self.answer(401, {"error": "who are you?"}, headers=[("WWW-Authenticate", 'Basic realm="lab"')])

    def echo(self):
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        self.answer(200, {"method": self.command, "path": self.path, "headers": self.headers.items(),
                          "body": base64.b64encode(body).decode()})

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        parts = url.path.strip("/").split("/")

        def number(key, default):
            return int(query[key]) if query.get(key, "").isdigit() else default

        def slow():
            time.sleep(number("ms", 1500) / 1000)
            self.healthy()

        def cut():
            self.answer(200, b'{"status":"UP', length=1000)
            self.close_connection = True

        simple = {
            "health": self.healthy, "down": self.down, "hostile": self.hostile, "auth": self.auth, "echo": self.echo,
            "hang": self.hang, "reset": self.reset, "slow": slow, "cut": cut,
            "empty": lambda: self.answer(204),
            "wrong": lambda: self.answer(200, {"status": "WRONG"}),
            "notjson": lambda: self.answer(200, b"<html><title>Login</title><p>Please log in</html>", "text/html"),
            "badjson": lambda: self.answer(200, b'{"status":"UP","checks":[{"na'),
            "drip": lambda: self.drip(number("ms", 200)),
            "huge": lambda: self.huge(number("bytes", 64 << 20)),
            "redirect": lambda: self.answer(302, headers=[("Location", "/health")]),
            "loop": lambda: self.answer(302, headers=[("Location", "/loop")]),
            "redirect-off": lambda: self.answer(302, headers=[("Location", "http://elsewhere.invalid/")]),
        }
        if len(parts) == 2 and parts[0] == "status" and parts[1].isdigit():
            self.answer(int(parts[1]), {"status": parts[1]})
        elif len(parts) == 2 and parts[0] == "svc":
            self.service(parts[1])
        elif len(parts) == 2 and parts[0] == "count":
            with lock:
                n = count.get(parts[1], 0)
            self.answer(200, {"count": n})
        elif len(parts) == 1 and parts[0] in simple:
            simple[parts[0]]()
        else:
            self.answer(404, {"error": "no such path", "path": url.path})

    def do_POST(self):
        url = urllib.parse.urlsplit(self.path)
        parts = url.path.strip("/").split("/")
        if parts[0] == "echo":
            self.echo()
            return
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        wanted = dict(urllib.parse.parse_qsl(url.query)).get("state")
        if len(parts) == 2 and parts[0] == "control" and wanted in STATES:
            with lock:
                state[parts[1]] = wanted
            self.answer(200, {"service": parts[1], "state": wanted})
        else:
            self.answer(404, {"error": "POST /control/NAME?state=" + "|".join(STATES)})

    def do_HEAD(self):
        self.do_GET()

    do_PUT = do_DELETE = do_PATCH = do_OPTIONS = echo


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128
    context = None

    def finish_request(self, request, client_address):
        with contextlib.suppress(OSError):
            if self.context:                    # here, in the connection's own thread: a slow client hinders nobody
                request.settimeout(20)
                request = self.context.wrap_socket(request, server_side=True)
                request.settimeout(None)
            self.RequestHandlerClass(request, client_address, self)
            if self.context:
                request.close()

    def handle_error(self, request, client_address):
        pass


def tls_server(port, folder, name, demands=None):
    """demands: the TLS version with which it demands a client certificate."""
    server = Server(("127.0.0.1", port), Handler)
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key"))
    if demands:
        server.context.minimum_version = server.context.maximum_version = demands
        server.context.verify_mode = ssl.CERT_REQUIRED
        server.context.load_verify_locations(os.path.join(folder, "ca.pem"))
    return server


class Closes(socketserver.BaseRequestHandler):
    def handle(self):
        pass


class Silent(socketserver.BaseRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError):
            while self.request.recv(4096):
                pass


class Garbage(socketserver.BaseRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError):
            self.request.sendall(bytes(range(256)) * 16)
            self.request.recv(4096)


class Plain(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        pass


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    base, folder = int(sys.argv[1]), sys.argv[2]
    servers = [Plain(("127.0.0.1", base + 6 + n), kind) for n, kind in enumerate((Closes, Silent, Garbage))]
    for n, name in enumerate(("server", "expired", "other", "soon", "stranger")):
        servers.append(tls_server(base + 1 + n, folder, name))
    for n, version in enumerate((ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2)):
        servers.append(tls_server(base + 9 + n, folder, "server", version))
    servers.append(Server(("127.0.0.1", base), Handler))
    for server in servers[:-1]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[-1].serve_forever()


if __name__ == "__main__":
    main()
