"""The pages that vidgan writes, as pictures for docs/: what `analyze` finds in a spoilt sample, and a short training.

    python benchmarks/pages.py docs/images --train my/videos

Writes analyze.jpg and training.jpg there. Needs chromium, and playwright of the extra `dev`; the training takes about
five minutes on two cores and is judged on the sample, which it never sees.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import av
import numpy as np
from playwright.sync_api import sync_playwright

import vidgan
from vidgan import cli
from vidgan.degrade import gaussian_blur, gaussian_noise
from vidgan.pixels import bytes_of, floats_of
from vidgan.video import decode_all

SAMPLE = Path(__file__).resolve().parent.parent / "examples" / "media" / "bunny.mp4"
RATE = 25
WIDTH = 1000  # of the window, in pixels
SETTINGS = (
    *("faithful.steps=160", "faithful.batch=4", "realistic.steps=160", "realistic.batch=2"),
    *("validate_every=20", "game.ramp=30", "ema=0.97"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--train", type=Path, required=True, help="footage to train on")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(spoilt(), folder / "spoilt.mp4")
        vidgan.analyze(folder / "spoilt.mp4", report=folder / "analyze.html")
        photograph(folder / "analyze.html", options.output / "analyze.jpg", height=900)
        run = folder / "run"
        data = [f'data.train=["{options.train.absolute()}"]', f'data.val=["{SAMPLE}"]']
        words = [word for entry in (*SETTINGS, *data) for word in ("--set", entry)]
        cli.main(["train", "default", "--out", str(run), *words])
        photograph(run / "report.html", options.output / "training.jpg", height=900)


def spoilt() -> np.ndarray:
    """(T, H, W, 3) uint8: the sample with a frozen, a black, a soft and a noisy second."""
    clip = decode_all(SAMPLE)
    frames = floats_of(clip)
    rng = np.random.default_rng(1)
    soft = bytes_of(gaussian_blur(frames[:RATE], 2.5))
    noisy = bytes_of(gaussian_noise(frames[RATE : 2 * RATE], 12.0, rng))
    frozen = np.repeat(clip[-1:], RATE, axis=0)
    return np.concatenate([clip, frozen, np.zeros_like(clip[:RATE]), clip, soft, noisy, clip])


def write(frames: np.ndarray, path: Path) -> None:
    """(T, H, W, 3) uint8 as H.264 that takes away nothing to speak of."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "10"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def photograph(page: Path, picture: Path, *, height: int) -> None:
    """The top of a page as a JPEG."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        window = browser.new_page(viewport={"width": WIDTH, "height": height})
        window.goto(page.absolute().as_uri())
        window.screenshot(path=picture, type="jpeg", quality=82)
        browser.close()


if __name__ == "__main__":
    main()
