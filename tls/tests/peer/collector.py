"""A collector that speaks TLS by OpenSSL, and tells on its standard output what comes and goes. Arguments: a folder with
certificates, the name of its own in it, and words: `1.2` (no later TLS), `ask` (for the client's certificate), `plain` (no TLS),
`deaf` (it does not read), `port=N`, `hex` (what comes is told so), `patient` (it ends by itself later). On its standard input: `end` (the session, in order), `cut` (the connection), `next`, each for
one connection after the other."""

import signal
import socket
import ssl
import struct
import sys
import threading

folder, name, *words = sys.argv[1:]
signal.alarm(400 if "patient" in words else 90)


def say(text):
    print(text, flush=True)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{folder}/{name}.pem", f"{folder}/{name}.key")
if "1.2" in words:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
if "ask" in words:
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(f"{folder}/ca.pem")

port = next((int(word[5:]) for word in words if word.startswith("port=")), 0)
listener = socket.create_server(("127.0.0.1", port))
say(f"port {listener.getsockname()[1]}")


def hear(connection):
    try:
        while data := connection.recv(65536):
            say("got " + (data.hex() if "hex" in words else data.decode()))
        say("end")
    except OSError as error:
        say(f"cut {type(error).__name__}")


while True:
    raw, _ = listener.accept()
    if "plain" in words:
        raw.sendall(b"220 at your service\r\n" * 10)
        continue
    try:
        connection = context.wrap_socket(raw, server_side=True)
    except OSError as error:
        say(f"failed {type(error).__name__}")
        continue
    client = dict(pair[0] for pair in (connection.getpeercert() or {}).get("subject", ()))
    say(f"up {connection.version()} {client.get('commonName', '-')}")
    if "deaf" not in words:
        threading.Thread(target=hear, args=[connection], daemon=True).start()
    order = sys.stdin.readline().strip()
    if order == "end":
        connection.unwrap()
    elif order == "cut":
        raw = connection.detach()
        raw = socket.socket(fileno=raw)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.shutdown(socket.SHUT_RD)
        raw.close()
    elif not order:
        break
