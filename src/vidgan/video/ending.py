"""How long the frame that is shown last stays, told to containers that count from one decoding to the next."""

from collections.abc import Iterable, Iterator

import av


class Ending:
    """Looks at a film's packets on their way into the container. All times are in ticks of their encoder.

    counts_decoding  whether the container knows of a packet only how much later the next is decoded, as MP4 and MOV do
    end              when the frame that is shown last goes; None while that is not known
    """

    def __init__(self, *, counts_decoding: bool) -> None:
        self.end: int | None = None
        self._counts_decoding = counts_decoding
        self._first: tuple[int, int] | None = None  # when the first packet is shown, and decoded
        self._last_shown: int | None = None

    def seen(self, packets: Iterable[av.Packet]) -> list[av.Packet]:
        """The same packets, when they are looked at; not yet the last of the film, if more are to come."""
        kept = list(packets)
        for packet in kept:
            self._look(packet)
        return kept

    def last(self, packets: Iterable[av.Packet]) -> Iterator[av.Packet]:
        """The same packets, one of them held back: the one that is decoded after all others ends with the film."""
        waiting: av.Packet | None = None
        for packet in packets:
            self._look(packet)
            if waiting is not None:
                yield waiting
            waiting = packet
        if waiting is not None:
            self._stretch(waiting)
            yield waiting

    def _look(self, packet: av.Packet) -> None:
        assert packet.pts is not None and packet.dts is not None
        if self._first is None:
            self._first = packet.pts, packet.dts
        if self._last_shown is None or packet.pts > self._last_shown:
            self._last_shown = packet.pts
            self.end = packet.pts + packet.duration if packet.duration else None

    def _stretch(self, packet: av.Packet) -> None:
        """Let a packet last for what is missing: readers add up all of them, and take that for the film's length."""
        if not self._counts_decoding or self.end is None:
            return
        assert self._first is not None and packet.pts is not None and packet.dts is not None
        delay = self._first[0] - self._first[1]
        if self.end - delay - packet.dts <= (packet.duration or 0):
            return
        # The muxer would believe that this one is shown for so long, beyond the end if its time is near it: then it is
        # decoded later, as it may be where none comes after it.
        packet.dts = max(packet.dts, packet.pts - delay)
        packet.duration = max(packet.duration or 0, self.end - delay - packet.dts)
