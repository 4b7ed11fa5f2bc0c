"""From a file's bytes to its lines: gzip, encoding, line ends. Pure, in flat memory.

A file is read twice: once to find its encoding (a guess from the beginning would meet the first
Chinese character in the middle of a million rows), once to hand out its lines.
"""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

_BLOCK = 1 << 18
# No row of ours comes near this; a longer line is one bad row, and is not kept in memory.
MAX_LINE = 65_536
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "big5")


class BadFileError(Exception):
    """The file as a whole can not be read; `code` and `data` say why.

    `file` says which one, where there are two: `purchases` or `lines`.
    """

    def __init__(self, code: str, **data: object) -> None:
        self.file = "purchases"
        self.code = code
        self.data = data
        super().__init__(f"{code} {data}")


@dataclass(frozen=True, slots=True)
class Source:
    """A file and how to read it. `size` is its size on disk."""

    path: Path
    size: int
    is_gzip: bool
    encoding: str


def inspect(path: Path, *, encoding: str | None = None) -> Source:
    """Find out how a file is packed and encoded, reading all of it once.

    With a byte order mark: UTF-8 or UTF-16. Without: UTF-16 if every other byte of the beginning
    is zero, else UTF-8 if the whole file is, else GB18030. A text of very few Chinese characters
    can be both; then `encoding` decides.

    :raises BadFileError: `no_file`, `empty_file`, `broken_gzip`, `broken_encoding`.
    """
    try:
        with path.open("rb") as file:
            head = file.read(2)
            size = path.stat().st_size
    except OSError as error:
        raise BadFileError("no_file", reason=error.strerror or str(error)) from None
    is_gzip = head == b"\x1f\x8b"
    with _opened(path, is_gzip=is_gzip) as (data, _raw):
        beginning = _read(data, 4096)
    if not beginning.strip(b"\x00\t\r\n \xff\xfe\xef\xbb\xbf"):
        raise BadFileError("empty_file")
    candidates = [encoding] if encoding else _candidates(beginning)
    broken: BadFileError | None = None
    for candidate in candidates:
        try:
            _decode_all(path, is_gzip=is_gzip, encoding=candidate)
        except UnicodeDecodeError as error:
            broken = broken or BadFileError(
                "broken_encoding", encoding=candidate, reason=error.reason
            )
            continue
        return Source(path=path, size=size, is_gzip=is_gzip, encoding=candidate)
    raise broken or BadFileError("broken_encoding", encoding="?", reason="?")


class _Readable(Protocol):
    """What content is read from: a file, or what unpacks it."""

    def read(self, size: int = -1, /) -> bytes: ...


class Lines:
    """The lines of a source with their numbers from 1; a line that is too long comes as None.

    `read` tells how many bytes of the file were consumed so far, for a progress bar. Line ends
    may be any of LF, CR LF and CR.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.read = 0

    def __iter__(self) -> Iterator[tuple[int, str | None]]:
        number = 0
        pending = ""
        overlong = False
        for text in self._texts():
            parts = text.split("\n")
            parts[0] = pending + parts[0]
            pending = parts.pop()
            for part in parts:
                number += 1
                yield number, None if overlong or len(part) > MAX_LINE else part
                overlong = False
            if len(pending) > MAX_LINE:
                # Keep only that it was too long.
                overlong, pending = True, ""
        if pending or overlong:
            yield number + 1, None if overlong else pending

    def _texts(self) -> Iterator[str]:
        decoder = io.IncrementalNewlineDecoder(
            codecs.getincrementaldecoder(self.source.encoding)("strict"), translate=True
        )
        with _opened(self.source.path, is_gzip=self.source.is_gzip) as (data, raw):
            try:
                while block := _read(data, _BLOCK):
                    self.read = raw.tell()
                    yield decoder.decode(block)
                yield decoder.decode(b"", final=True)
            except UnicodeDecodeError as error:  # the file changed since it was inspected
                raise BadFileError(
                    "broken_encoding", encoding=self.source.encoding, reason=error.reason
                ) from None


@contextmanager
def _opened(path: Path, *, is_gzip: bool) -> Iterator[tuple[_Readable, BinaryIO]]:
    """Open a file; yield what gives its content, and the file itself for its position."""
    try:
        raw = path.open("rb")
    except OSError as error:
        raise BadFileError("no_file", reason=error.strerror or str(error)) from None
    with raw:
        yield (gzip.GzipFile(fileobj=raw) if is_gzip else raw), raw


def _read(data: _Readable, size: int) -> bytes:
    try:
        return data.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise BadFileError("broken_gzip") from None
    except OSError as error:
        raise BadFileError("no_file", reason=error.strerror or str(error)) from None


def _candidates(beginning: bytes) -> list[str]:
    for mark, encoding in _BOMS:
        if beginning.startswith(mark):
            return [encoding]
    even, odd = beginning[0::2], beginning[1::2]
    if even and odd.count(0) > len(odd) * 0.4 and even.count(0) < len(even) * 0.1:
        return ["utf-16-le"]
    if even and even.count(0) > len(even) * 0.4 and odd.count(0) < len(odd) * 0.1:
        return ["utf-16-be"]
    return ["utf-8", "gb18030"]


def _decode_all(path: Path, *, is_gzip: bool, encoding: str) -> None:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    with _opened(path, is_gzip=is_gzip) as (data, _raw):
        while block := _read(data, _BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
