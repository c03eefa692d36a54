"""Frames that were made of two moments, one for every other line, become frames of one."""

from collections.abc import Callable, Iterator

import av
from av.filter import Graph

from vidgan.video.probe import HEADER_ONLY_INTERLACE, Source


def deinterlaced(
    pictures: Iterator[av.VideoFrame], source: Source, say: Callable[[str], None]
) -> Iterator[av.VideoFrame]:
    """Frames made of two moments become one, by bwdif; others pass untouched. One out for each in."""
    graph: Graph | None = None
    by_header = source.interlaced and source.codec in HEADER_ONLY_INTERLACE
    for picture in pictures:
        if graph is None and not (by_header or picture.interlaced_frame):
            yield picture
            continue
        if graph is None:
            graph = _bwdif(picture, source)
            say(f"{source.path} is interlaced: its frames are deinterlaced by bwdif")
        graph.vpush(picture)
        yield from _pull(graph, source)
    if graph is not None:
        graph.vpush(None)
        yield from _pull(graph, source)


def _bwdif(picture: av.VideoFrame, source: Source) -> Graph:
    graph = Graph()
    by_header = {"top": "tff", "bottom": "bff", None: "auto"}[source.field_order]
    parity = "auto" if picture.interlaced_frame else by_header
    which = "interlaced" if picture.interlaced_frame else "all"  # headers may know what frames do not say
    nodes = (
        graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=source.time_base
        ),
        graph.add("bwdif", mode="send_frame", parity=parity, deint=which),
        graph.add("format", pix_fmts=picture.format.name),
        graph.add("buffersink"),
    )
    graph.link_nodes(*nodes).configure()
    return graph


def _pull(graph: Graph, source: Source) -> Iterator[av.VideoFrame]:
    while True:
        try:
            picture = graph.vpull()
        except (BlockingIOError, EOFError):
            return
        assert picture.time_base is not None
        ticks = picture.time_base / source.time_base  # bwdif counts in half ticks
        if picture.pts is not None:
            picture.pts = round(picture.pts * ticks)
        picture.duration = round((picture.duration or 0) * ticks)
        picture.time_base = source.time_base
        yield picture
