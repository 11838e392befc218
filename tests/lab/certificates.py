"""A throw-away certificate authority, and the good and the bad certificates that the lab's servers show:
server (localhost, 127.0.0.1, ::1), client, expired, other (for another name), soon (ends in three days), stranger
(signed by an authority that nobody knows)."""
import os
import shutil
import subprocess
import time

import common

SERVER = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"
OTHER = "subjectAltName=DNS:elsewhere.example"
CA_CONFIG = """[ca]
default_ca = lab
[lab]
database = %(dir)s/index
new_certs_dir = %(dir)s
serial = %(dir)s/serial
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""


def openssl(*arguments):
    with open(os.path.join(common.TLS, "openssl.log"), "ab") as out:
        if subprocess.call(["openssl", *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=common.TLS):
            raise common.Failed("openssl %s fails; see %s" % (arguments[0], os.path.join(common.TLS, "openssl.log")))


def at(name):
    return os.path.join(common.TLS, name)


def stamp(days):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400))


def authority(name, subject):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650",
            "-subj", "/CN=" + subject, "-keyout", name + ".key", "-out", name + ".pem",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")


def issue(name, subject, extension, first=-1, last=365, ca="ca"):
    with open(at(name + ".ext"), "w", encoding="ascii") as f:
        f.write(extension + "\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=" + subject,
            "-keyout", name + ".key", "-out", name + ".csr")
    openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", ca + ".pem", "-keyfile", ca + ".key",
            "-in", name + ".csr", "-out", name + ".pem", "-extfile", name + ".ext",
            "-startdate", stamp(first), "-enddate", stamp(last))


def make():
    """Makes all of them anew unless they are less than a day old."""
    marker = at("complete")
    if os.path.exists(marker) and time.time() - os.path.getmtime(marker) < 86400:
        return
    common.need("openssl", "openssl")
    shutil.rmtree(common.TLS, ignore_errors=True)
    os.makedirs(common.TLS, mode=0o700)
    with open(at("ca.cnf"), "w", encoding="utf-8") as f:
        f.write(CA_CONFIG % {"dir": common.TLS})
    with open(at("index"), "w", encoding="ascii"):
        pass
    authority("ca", "signalbox lab authority")
    authority("unknown", "signalbox lab, an unknown authority")
    issue("server", "localhost", SERVER)
    issue("client", "signalbox lab client", "extendedKeyUsage=clientAuth")
    issue("expired", "localhost", SERVER, -30, -2)
    issue("soon", "localhost", SERVER, -30, 3)
    issue("other", "elsewhere.example", OTHER)
    issue("stranger", "localhost", SERVER, ca="unknown")
    with open(at("server.both.pem"), "w", encoding="ascii") as out:      # as Kafka wants it: key, then certificate
        for part in ("server.key", "server.pem"):
            with open(at(part), encoding="ascii") as f:
                out.write(f.read())
    with open(marker, "w", encoding="ascii"):
        pass


def env():
    return {"SB_CA": at("ca.pem"), "SB_CLIENT_CERT": at("client.pem"), "SB_CLIENT_KEY": at("client.key")}
