"""Bytes that are sent in pieces: a file's, or those that the caller has."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

import anyio.to_thread

Data: TypeAlias = bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO
"""Bytes, the path of a file, or an open binary file, which is taken from where it stands and must be seekable."""
PIECE = 1 << 20


@dataclass(frozen=True)
class Upload:
    """What is sent. It can be read more than once: to hash it, to send it, and to send it again."""

    data: Data
    start: int = 0

    @classmethod
    def of(cls, data: Data) -> Upload:
        """Take what the caller gives."""
        if isinstance(data, (bytes, bytearray, memoryview, str, os.PathLike)):
            return cls(data)
        if not hasattr(data, "read"):
            raise TypeError(f"{type(data).__name__} can't be sent; give bytes, a path or a file opened in binary mode")
        if not data.seekable():
            raise ValueError("the file can't be read twice, to hash it and to send it; give a path or bytes")
        return cls(data, data.tell())

    def pieces(self) -> Iterator[bytes]:
        """Read it from its beginning."""
        if isinstance(self.data, (bytes, bytearray, memoryview)):
            whole = memoryview(self.data).cast("B")
            for at in range(0, len(whole), PIECE):
                yield bytes(whole[at : at + PIECE])
        elif isinstance(self.data, (str, os.PathLike)):
            with open(self.data, "rb") as file:
                yield from _read(file)
        else:
            self.data.seek(self.start)
            yield from _read(self.data)

    async def apieces(self) -> AsyncIterator[bytes]:
        """Do the same beside the event loop."""
        pieces = self.pieces()
        while (piece := await anyio.to_thread.run_sync(next, pieces, None)) is not None:
            yield piece

    def digest(self) -> tuple[str, int]:
        """Give the SHA-256 of it, in hexadecimal digits, and its length."""
        hashed, length = hashlib.sha256(), 0
        for piece in self.pieces():
            hashed.update(piece)
            length += len(piece)
        return hashed.hexdigest(), length


def _read(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        if not isinstance(piece, bytes):
            raise TypeError("the file gives text; open it in binary mode")
        yield piece
