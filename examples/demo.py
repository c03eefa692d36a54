"""The main job on a real sample: enhance it, look at it, and hold it against bicubic where the truth is known.

python examples/demo.py [FOLDER]      writes into FOLDER, ./demo unless given
"""

import sys
from pathlib import Path

import av
import numpy as np
import torch
from torch.nn import functional as F

import vidgan
from vidgan import features, metrics, score
from vidgan.video import decode_all

SAMPLE = Path(__file__).parent / "media" / "bunny.mp4"
SCALE = 4
SHOWN = ((1.4, 60, 4), (2.0, 130, 60))  # seconds; left, top of a crop of the sample
CROP = (90, 160)  # height, width of each, in pixels of the sample


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    folder.mkdir(parents=True, exist_ok=True)
    print(f"1. {SAMPLE.name}, {SCALE} times larger")
    made = vidgan.enhance(SAMPLE, folder / "bunny_x4.mp4", scale=SCALE, overwrite=True, sidecar=True)
    print(
        f"   {made.frames} frames of {made.width}x{made.height} in {made.seconds:.1f} s: {made.fps:.1f} a second,"
    )
    print(f"   the first after {made.first_frame_seconds:.1f} s ({made.device}, {made.precision})")

    print("2. the same sample, first made four times smaller, so that the truth is known")
    for name, row in against_bicubic(decode_all(SAMPLE)).items():
        print(f"   {name:8}", "  ".join(f"{metric} {value:.3f}" for metric, value in row.items()))

    print("3. the enlarged video against the sample that it was made from")
    report = folder / "report.html"
    for contender in vidgan.compare(SAMPLE, made.output, report=report).contenders:
        means = contender.means()
        print(f"   {contender.name:12} brought down again: {means['consistency']:.1f} dB", end="")
        print(f"  sharpness {means['sharpness']:.2f}")

    picture = folder / "before_after.png"
    save_before_after(decode_all(SAMPLE), decode_all(Path(made.output)), picture)
    print(
        f"\nthe video   {made.output}\nits sidecar {made.output}.json\nbicubic left, vidgan right: {picture}"
    )
    print(f"a page to look at, with a slider: {report}")


def against_bicubic(clip: np.ndarray) -> dict[str, dict[str, float]]:
    """(T, H, W, 3) uint8 -> the scores of bicubic and of vidgan, both from the clip made smaller."""
    (pair,) = score.pairs([torch.from_numpy(clip)], SCALE, frames=len(clip))
    outputs = {
        "bicubic": enlarged(pair.low),
        "vidgan": score.enhanced(vidgan.create_generator(weights="fast"), pair.low),
    }
    rows = {}
    for name, output in outputs.items():
        rows[name] = {
            "PSNR-Y": metrics.psnr_y(output, pair.high),
            "SSIM-Y": metrics.ssim_y(output, pair.high),
        }
        if features.has_lpips("alex"):
            rows[name]["LPIPS"] = metrics.lpips(output, pair.high)
    return rows


def enlarged(small_TCHW: torch.Tensor) -> torch.Tensor:
    """Bicubic, rounded as 8-bit video would be."""
    large = F.interpolate(small_TCHW, scale_factor=SCALE, mode="bicubic", antialias=True)
    return (large.clamp(0, 1) * 255).round() / 255


def save_before_after(before: np.ndarray, after: np.ndarray, path: Path) -> None:
    """A row per moment: bicubic on the left, the enhanced frame on the right."""
    rows = []
    for seconds, left, top in SHOWN:
        index = round(seconds * 25)
        height, width = CROP
        small = before[index, top : top + height, left : left + width]
        bicubic = enlarged(torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255)
        large = (bicubic[0].permute(1, 2, 0) * 255).round().byte().numpy()
        better = after[index, top * SCALE : (top + height) * SCALE, left * SCALE : (left + width) * SCALE]
        rows.append(np.concatenate([large, np.full((len(large), 8, 3), 255, np.uint8), better], axis=1))
    picture = np.concatenate([rows[0], np.full((8, rows[0].shape[1], 3), 255, np.uint8), rows[1]])
    av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").save(str(path))


if __name__ == "__main__":
    main()
