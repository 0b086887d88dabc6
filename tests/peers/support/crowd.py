"""Clients that act at the same instant."""

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from urllib.parse import urlsplit

MESSAGE = re.compile(rb"<Message>(.*)</Message>")


class Crowd:
    """Clients that hold back the last byte of their requests, and then all let go of it at once."""

    def __init__(self, endpoint: str, size: int):
        parts = urlsplit(endpoint)
        self.address = parts.hostname, parts.port
        self.size = size
        self.barrier = Barrier(size)
        self.pool = ThreadPoolExecutor(size)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pool.shutdown()

    def send(self, requests: list[bytes]) -> list[bytes]:
        """Sends one request from each client; returns the answers."""
        assert len(requests) == self.size
        return list(self.pool.map(self._send, requests))

    def _send(self, request: bytes) -> bytes:
        with socket.create_connection(self.address, timeout=60) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(request[:-1])
            self.barrier.wait(60)
            connection.sendall(request[-1:])
            answer = b""
            while part := connection.recv(65536):
                answer += part
            return answer


def status(answer: bytes) -> int:
    """The status of a raw answer."""
    return int(answer.split(b" ", 2)[1])


def message(answer: bytes) -> str:
    """The message of a raw answer."""
    found = MESSAGE.search(answer)
    return found[1].decode() if found else ""
