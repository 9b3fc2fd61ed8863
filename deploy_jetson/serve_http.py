"""As much of an HTTP/1.1 server as the service needs: whole requests in, whole answers out.

Every limit is on the side of refusing: a request has a declared length, a deadline and a largest
size, and its headers fit in 16 KiB.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple

MOST_HEADER_BYTES = 1 << 14
LARGEST_AT_ONCE = 4
"""So many requests of the largest size may be held in memory; of smaller ones, more."""

_Task = asyncio.Task[None] | None


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    """By name in small letters."""
    body: bytes


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """A request that gets a sentence instead of what it asked for."""

    def __init__(
        self, status: int, sentence: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(sentence)
        self.answer = json_answer({"error": sentence}, status, headers)


@dataclass(frozen=True)
class Limits:
    body: int = 32 << 20
    """Bytes of one request."""
    seconds: float = 10.0
    """From a request's first byte to its answer."""
    idle_seconds: float = 60.0
    """How long a connection may stay open between requests."""
    connections: int = 128

    @property
    def bodies(self) -> int:
        """Bytes of all requests together that are being read or answered."""
        return LARGEST_AT_ONCE * self.body


def json_answer(
    document: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    return Answer(status, json.dumps(document).encode() + b"\n", headers=headers or {})


class HttpServer:
    """Answers connections with `handle` until it is drained; lives in one event loop."""

    def __init__(self, handle: Callable[[Request], Awaitable[Answer]], limits: Limits) -> None:
        self._handle = handle
        self._limits = limits
        self._busy: set[_Task] = set()
        self._idle: set[_Task] = set()
        self._held = 0
        self._draining = False
        self._listener: asyncio.AbstractServer | None = None

    async def listen(self, **where: Any) -> None:
        """`where` is what `asyncio.start_server` takes, such as an open `sock`."""
        self._listener = await asyncio.start_server(
            self._connected, limit=MOST_HEADER_BYTES, backlog=self._limits.connections, **where
        )

    async def drain(self, seconds: float) -> bool:
        """Take no more requests and wait for those in flight; whether all were answered."""
        self._draining = True
        if self._listener is not None:
            self._listener.close()
        for task in filter(None, list(self._idle)):
            task.cancel()
        left = set(filter(None, self._busy))
        if left:
            _, left = await asyncio.wait(left, timeout=seconds)
        return not left

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        try:
            await self._converse(task, reader, writer)
        except (asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, or the service is stopping and this one was idle
        except asyncio.TimeoutError:
            writer.transport.abort()  # the client does not read its answer
        finally:
            self._busy.discard(task)
            self._idle.discard(task)
            writer.close()

    async def _converse(
        self,
        task: _Task,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if len(self._busy) + len(self._idle) >= self._limits.connections:
            busy = Refusal(503, "too many connections; try again", {"Retry-After": "1"})
            await _send(writer, busy.answer, keep=False)
            return
        keep = True
        while keep and not self._draining:
            self._idle.add(task)
            try:
                first = await asyncio.wait_for(reader.readexactly(1), self._limits.idle_seconds)
            except asyncio.TimeoutError:
                return
            self._idle.discard(task)
            self._busy.add(task)
            answer, keep = await self._answer(first, reader, writer)
            await asyncio.wait_for(
                _send(writer, answer, keep and not self._draining), self._limits.seconds
            )
            self._busy.discard(task)

    async def _answer(
        self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[Answer, bool]:
        """The answer, and whether the connection can take another request after it."""
        whole = False

        async def serve() -> tuple[Answer, bool]:
            nonlocal whole
            head = await self._head(first, reader)
            with self._held_body(head.length):
                request = await _whole(head, reader, writer)
                whole = True
                keep = request.headers.get("connection", "").lower() != "close"
                try:
                    return await self._handle(request), keep
                except Refusal as refusal:
                    return refusal.answer, keep

        try:
            return await asyncio.wait_for(serve(), self._limits.seconds)
        except Refusal as refusal:
            return refusal.answer, False
        except asyncio.TimeoutError:
            seconds = f"{self._limits.seconds:g} s"
            if whole:
                return Refusal(504, f"no answer within {seconds}; see GET /health").answer, True
            return Refusal(408, f"the request did not arrive within {seconds}").answer, False

    async def _head(self, first: bytes, reader: asyncio.StreamReader) -> _Head:
        try:
            head = first + await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise Refusal(431, f"more than {MOST_HEADER_BYTES} bytes of headers") from None
        method, path, headers = _parse_head(head)
        return _Head(method, path, headers, _length(headers, self._limits.body))

    @contextlib.contextmanager
    def _held_body(self, length: int) -> Iterator[None]:
        """Count a body from before it is read until it is answered."""
        if self._held + length > self._limits.bodies:
            raise Refusal(503, "too much is being sent at once; try again", {"Retry-After": "1"})
        self._held += length
        try:
            yield
        finally:
            self._held -= length


class _Head(NamedTuple):
    method: str
    path: str
    headers: Mapping[str, str]
    length: int


async def _whole(
    head: _Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Request:
    if head.length and head.headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return Request(head.method, head.path, head.headers, await reader.readexactly(head.length))


def _parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise Refusal(400, "this is not an HTTP/1.1 request")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip() or not name:
            raise Refusal(400, f"the header {line[:60]!r} cannot be understood")
        if name.lower() in headers and name.lower() == "content-length":
            raise Refusal(400, "Content-Length is there twice")
        headers[name.lower()] = value.strip()
    if words[2] == "HTTP/1.0":
        headers.setdefault("connection", "close")
    return words[0], words[1].partition("?")[0], headers


def _length(headers: Mapping[str, str], most: int) -> int:
    if "transfer-encoding" in headers:
        raise Refusal(411, "send a Content-Length; chunked requests are not taken")
    given = headers.get("content-length", "0")
    if not (given.isascii() and given.isdigit()) or len(given) > 18:
        raise Refusal(400, f"Content-Length {given[:30]!r} is no number of bytes")
    if int(given) > most:
        raise Refusal(413, f"{given} bytes are more than the {most} that one request may have")
    return int(given)


async def _send(writer: asyncio.StreamWriter, answer: Answer, keep: bool) -> None:
    reason = HTTPStatus(answer.status).phrase
    lines = [
        f"HTTP/1.1 {answer.status} {reason}",
        f"Content-Type: {answer.kind}",
        f"Content-Length: {len(answer.body)}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
        f"Connection: {'keep-alive' if keep else 'close'}",
    ]
    writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + answer.body)
    with contextlib.suppress(ConnectionError):
        await writer.drain()
