"""A safetensors file of uint8 pictures that grows clip by clip, so that no more than one needs to be in memory.

The header, which says where each clip lies, comes first in the file and is written last, into room that was left for
it. Source of the format: https://huggingface.co/docs/safetensors, whose headers may end in spaces.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import IO

PLACE = 200  # bytes of the header that a clip takes beside its name, at most


class Growing:
    """Writes into an open file; finish() makes it a whole one."""

    def __init__(
        self, out: IO[bytes], names: Iterable[str], metadata: Mapping[str, str] | None = None
    ) -> None:
        """names  of all clips that there may be: room is left for their places"""
        self._out = out
        self._header: dict[str, object] = {} if metadata is None else {"__metadata__": dict(metadata)}
        room = len(json.dumps(self._header)) + sum(len(json.dumps(name)) + PLACE for name in names)
        self._room = room + -room % 8
        self._start = out.seek(8 + self._room)
        self.num_clips = 0

    def add(self, name: str, write: Callable[[IO[bytes]], tuple[int, ...]]) -> None:
        """write  appends the clip's bytes to the file and returns its shape; where it raises, nothing was added"""
        begins = self._out.tell()
        try:
            shape = write(self._out)
        except BaseException:
            self._out.seek(begins)
            raise
        places = [begins - self._start, self._out.tell() - self._start]
        self._header[name] = {"dtype": "U8", "shape": shape, "data_offsets": places}
        self.num_clips += 1

    def finish(self) -> None:
        self._out.truncate()
        words = json.dumps(self._header).encode()
        assert len(words) <= self._room, (len(words), self._room)
        self._out.seek(0)
        self._out.write(self._room.to_bytes(8, "little") + words.ljust(self._room))
