"""Destination `file`: JSON Lines, one file a kind and day, each line whole or absent.

The adapter only asks, as every adapter does: its requests have `file:` addresses and the methods APPEND and FIND.
`FileTransport`, which the hub mounts for that scheme, does the work.
"""

import asyncio
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, ClassVar
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx
import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from adapters.port import Delivery, Receipt, Talk
from canonical import parse_json
from canonical.errors import NotAuthorised, NotUnderstood, Refused, Unavailable

_BLOCK = 1 << 20


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is not a time zone, such as Asia/Shanghai") from error
    return name


class FileSettings(BaseModel):
    """A folder that fills with JSON Lines."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    path: str = Field(min_length=1, description="folder, made if missing; a relative one starts where hub.toml lies")
    zone: Annotated[str, AfterValidator(_zone)] = Field("UTC", description="time zone in which a day begins and ends")
    look_back: int = Field(
        3, ge=1, le=31, description="days in which a delivery is looked for before it is written again"
    )


class File:
    """One configured folder. A line is {idempotency_key, kind, tenant, shop, key, subject, revision, at, document}."""

    title: ClassVar[str] = "JSON Lines files"
    Settings: ClassVar[type[FileSettings]] = FileSettings
    paths: ClassVar[tuple[str, ...]] = ("path",)
    can_look_up: bool = True

    def __init__(self, settings: FileSettings) -> None:
        self._settings = settings
        self._folder = Path(settings.path).absolute()
        self._zone = ZoneInfo(settings.zone)

    @staticmethod
    def transport() -> "FileTransport":
        """What the hub mounts for `file://`; one for the whole process."""
        return FileTransport()

    def push(self, delivery: Delivery, now: datetime) -> Talk[Receipt]:
        """Append one line. A second attempt looks first: the first one may have been written without an answer."""
        if delivery.attempt > 1:
            found = yield from self.look_up(delivery, now)
            if found:
                return found
        response = yield self._request("APPEND", self._path(delivery.kind, now, 0), delivery, _line(delivery, now))
        return _receipt(response)

    def look_up(self, delivery: Delivery, now: datetime) -> Talk[Receipt | None]:
        """Search the files of the last days for the delivery's idempotency key."""
        for days in range(self._settings.look_back):
            response = yield self._request("FIND", self._path(delivery.kind, now, days), delivery)
            if response.status_code != 404:
                return _receipt(response)
        return None

    def _path(self, kind: str, now: datetime, days: int) -> Path:
        day = now.astimezone(self._zone).date() - timedelta(days=days)
        return self._folder / f"{kind}-{day.isoformat()}.jsonl"

    def _request(self, method: str, path: Path, delivery: Delivery, line: bytes = b"") -> httpx.Request:
        extensions = {"idempotency_key": delivery.idempotency_key}
        return httpx.Request(method, path.as_uri(), content=line, extensions=extensions)


def _line(delivery: Delivery, now: datetime) -> bytes:
    # The key comes first: it is how a line is found again.
    names = ("idempotency_key", "kind", "tenant", "shop", "key", "subject", "revision")
    line = {**{n: getattr(delivery, n) for n in names}, "at": now.isoformat(), "document": delivery.body}
    try:
        try:
            return orjson.dumps(line) + b"\n"
        except TypeError:  # integers beyond 64 bits and lone surrogates: slower, and exact
            return json.dumps(line, separators=(",", ":"), allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise Refused(f"the body cannot be written as JSON: {error}", code="delivery.body") from error


def _receipt(response: httpx.Response) -> Receipt:
    answer = response.text
    if response.status_code == 200:
        return Receipt(answer, already_there=response.request.method == "FIND")
    if response.status_code == 403:
        raise NotAuthorised(answer, hint="Let the hub's user write into that folder, then `hub destinations resume`.")
    raise Unavailable(answer)


class FileTransport(httpx.AsyncBaseTransport):
    """Serves `file:` requests. Lines that wait for the same file are written together: one write, one fsync.

    APPEND answers 200 and the place of the line; FIND 200 and its place, or 404; 403 where access is denied and 503
    where the system cannot write now (a full disk). Several processes may append to one file.
    """

    def __init__(self) -> None:
        self._waiting: dict[Path, list[tuple[bytes, asyncio.Future[str]]]] = {}
        self._writers: dict[Path, asyncio.Task[None]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request; never raises on what the file system says."""
        path = Path(unquote(request.url.raw_path.decode()))
        try:
            if request.method == "FIND":
                place = await asyncio.to_thread(_find, path, str(request.extensions["idempotency_key"]))
                return httpx.Response(200 if place else 404, text=place)
            return httpx.Response(200, text=await self._append(path, await request.aread()))
        except PermissionError as error:
            return httpx.Response(403, text=f"{path.name}: {error.strerror}")
        except OSError as error:
            return httpx.Response(503, text=f"{path.name}: {error.strerror}")

    async def aclose(self) -> None:
        """Wait for what is being written."""
        while self._writers:
            await asyncio.wait(set(self._writers.values()))

    async def _append(self, path: Path, line: bytes) -> str:
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(path, []).append((line, done))
        if path not in self._writers:
            # A task of its own: a caller that gives up must not take its neighbours' answers with it.
            self._writers[path] = asyncio.create_task(self._write(path))
        return await done

    async def _write(self, path: Path) -> None:
        try:
            while batch := self._waiting.pop(path, []):
                try:
                    places = await asyncio.to_thread(_append, path, [line for line, _ in batch])
                except OSError as error:
                    for _, done in batch:
                        if not done.done():
                            done.set_exception(error)
                else:
                    for (_, done), place in zip(batch, places, strict=True):
                        if not done.done():
                            done.set_result(place)
        finally:
            del self._writers[path]


def _append(path: Path, lines: list[bytes]) -> list[str]:
    """Write lines at the end of the file and make them durable; all or none of them. Returns where each begins."""
    is_new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path) as file:
        start = _mend_tail(file)
        try:
            _write_all(file, b"".join(lines))
            os.fsync(file)
        except OSError:
            os.ftruncate(file, start)
            raise
    if is_new:
        _sync_folder(path.parent)
    places = []
    for line in lines:
        places.append(f"{path.name}@{start}")
        start += len(line)
    return places


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _mend_tail(file: int) -> int:
    """End the file with a whole line, and say how long it is then.

    A last line without its end was being written in a crash, and nobody was told that it is there: it goes. If it is
    whole but for the end (an editor may have cut that), it stays.
    """
    size = os.fstat(file).st_size
    if not size or os.pread(file, 1, size - 1) == b"\n":
        return size
    start, tail = size, b""
    while start and b"\n" not in tail:
        step = min(_BLOCK, start)
        start -= step
        tail = os.pread(file, step, start) + tail
    last = tail.rpartition(b"\n")[2]
    if _is_whole(last):
        _write_all(file, b"\n")
        return size + 1
    os.ftruncate(file, size - len(last))
    return size - len(last)


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(parse_json(line), dict)
    except NotUnderstood:
        return False


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _find(path: Path, key: str) -> str:
    """The place of the line with this idempotency key, "" where there is none. A torn last line does not count."""
    start = b'{"idempotency_key":' + orjson.dumps(key) + b","
    position = 0
    try:
        with path.open("rb", buffering=_BLOCK) as lines:
            for line in lines:
                if line.startswith(start) and (line.endswith(b"\n") or _is_whole(line)):
                    return f"{path.name}@{position}"
                position += len(line)
    except FileNotFoundError:
        pass
    return ""


ADAPTER = File
