"""VMAF and VMAF-NEG, by libvmaf in an FFmpeg program of its own: the extra `metrics` brings one.

Plain VMAF rewards sharpening, and a GAN's texture with it; NEG was made to take that gain out again, so NEG is the
one to read. Both were trained on compression at television sizes: secondary for everything else.
"""

import json
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import torch

from vidgan import ffmpeg
from vidgan.errors import VidganError
from vidgan.metrics.metric import Metric
from vidgan.metrics.picture import Picture
from vidgan.pixels import bytes_of

MODELS = {"vmaf": "vmaf_v0.6.1", "vmaf_neg": "vmaf_v0.6.1neg"}
LOG = "log.json"


class Vmaf:
    """Takes pairs one by one and gives both scores of every frame at the end. Leave it with close().

    libvmaf looks at motion, and so wants its frames in a row.
    Both pictures of a pair go through one pipe, the reference below the output: no files, whatever the length.
    """

    def __init__(self, height: int, width: int) -> None:
        """Raises MissingExtra where no FFmpeg is installed."""
        program = ffmpeg.program()
        self._height, self._width = height // 2 * 2, width // 2 * 2  # 4:2:0 wants even sides
        self._folder = tempfile.TemporaryDirectory(prefix="vidgan-vmaf-")
        models = "|".join(f"version={version}\\:name={name}" for name, version in MODELS.items())
        yuv = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int,format=yuv420p"
        graph = (
            f"[0:v]{yuv},split[a][b];[a]crop=iw:ih/2:0:0[output];[b]crop=iw:ih/2:0:ih/2[reference];"
            f"[output][reference]libvmaf=model='{models}':n_threads={torch.get_num_threads()}:"
            f"log_fmt=json:log_path={LOG}"
        )
        words = ["-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
        words += ["-s", f"{self._width}x{2 * self._height}", "-i", "-", "-lavfi", graph, "-f", "null", "-"]
        self._process = subprocess.Popen(
            [program, *words], cwd=self._folder.name, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def push(self, output: Picture, target: Picture) -> None:
        both = torch.cat([rgb[:, : self._height, : self._width] for rgb in (output.rgb, target.rgb)], dim=1)
        try:
            self._pipe().write(bytes_of(both).data)
        except BrokenPipeError:
            raise self._failure() from None

    def finish(self) -> dict[str, list[float]]:
        """The name of each score -> its value for every frame."""
        self._pipe().close()
        if self._process.wait():
            raise self._failure()
        log = json.loads((Path(self._folder.name) / LOG).read_text(encoding="utf-8"))
        frames: list[dict[str, Any]] = [frame["metrics"] for frame in log["frames"]]
        return {name: [float(frame[name]) for frame in frames] for name in MODELS}

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        for pipe in (self._process.stdin, self._process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._process.wait()
        self._folder.cleanup()

    def _pipe(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _failure(self) -> VidganError:
        self._process.wait()
        assert self._process.stderr is not None
        said = self._process.stderr.read().decode(errors="replace").strip().splitlines()
        return VidganError(
            f"libvmaf does not work here: {said[-1] if said else 'it stopped without a word'}",
            "Leave vmaf out of --metrics.",
        )


vmaf, vmaf_neg = (
    Metric(
        name=name,
        title=title,
        meter=Vmaf,
        needs=ffmpeg.program,
        better="higher",
        secondary=True,
        digits=2,
        smallest=64,
        protocol=f"libvmaf, {MODELS[name]}, RGB to 4:2:0 with the BT.709 matrix; {note}",
    )
    for name, title, note in (
        ("vmaf", "VMAF", "rewards sharpening: NEG is the one to read"),
        ("vmaf_neg", "VMAF-NEG", "mean over frames"),
    )
)
