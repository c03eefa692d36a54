"""Titles, languages, dates: the words that files and their streams carry."""

from collections.abc import Iterable, Mapping

from av.stream import Disposition, Stream

from vidgan.video.containers import Container

# Written by muxers about the file they wrote; untrue of another file.
_STALE = {
    "encoder", "duration", "major_brand", "minor_version", "compatible_brands", "handler_name", "vendor_id",
    "rotate", "bps", "number_of_frames", "number_of_bytes", "filename", "mimetype", "name", "alpha_mode",
}  # fmt: skip

# What the MP4 and MOV muxers can write in their own tags; for any other they need `use_metadata_tags`, which
# leaves no room for a cover.
_ISO_TAGS = {
    "title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright",
    "grouping", "lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords",
    "compilation", "track", "disc", "creation_time", "location", "language", "timecode", "author", "make",
    "model", "encoded_by", "performer", "account_id", "hd_video", "gapless_playback", "media_type",
}  # fmt: skip


def fresh(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that stay true in another file."""
    return {key: value for key, value in tags.items() if not _is_stale(key)}


def merged(tags: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """`tags` with `added`; where both have a word for the same thing, both words stay. Names ignore case."""
    result = dict(tags)
    spelling = {key.lower(): key for key in tags}
    for name, text in added.items():
        key = spelling.get(name.lower(), name)
        old = result.get(key)
        result[key] = text if not old or old == text else old if text in old else f"{old}; {text}"
    return result


def copy_labels(source: Stream, target: Stream) -> None:
    """Language, title and the like, and the dispositions (default, forced, comment, ...)."""
    target.metadata.update(fresh(source.metadata))
    # MOV calls a track's title its name.
    if "title" not in target.metadata and "name" in source.metadata:
        target.metadata["title"] = source.metadata["name"]
    target.disposition = Disposition(source.disposition) & ~Disposition.attached_pic


def muxer_options(container: Container, tags: Iterable[str], *, has_cover: bool) -> dict[str, str]:
    """Options that let `container` write every one of `tags`, where it can."""
    options = dict(container.options)
    if container.format in ("mp4", "mov") and not has_cover and {key.lower() for key in tags} - _ISO_TAGS:
        options["movflags"] = "use_metadata_tags"
    return options


def _is_stale(key: str) -> bool:
    lowered = key.lower()
    # mkvmerge writes its counts as BPS-eng and the like.
    return lowered.split("-")[0] in _STALE or lowered.startswith("_statistics")
