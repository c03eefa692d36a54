"""How much memory a method takes: a process of its own enlarges two frames, and tells the most that it held.

python -m vidgan.measuring.footprint METHOD HEIGHT WIDTH SCALE DEVICE PRECISION THREADS
"""

import subprocess
import sys

import torch

from vidgan import hardware
from vidgan.measuring import methods
from vidgan.measuring.methods import Place

PATIENCE = 300  # seconds


def of(method: str, size: tuple[int, int], scale: int, place: Place) -> float | None:
    """MB of the whole process, of the accelerator where it runs on one; None where the system does not tell.

    size   height and width of the small frames
    scale  how many times larger they become
    """
    words = [
        method,
        *map(str, size),
        str(scale),
        str(place.device),
        hardware.word_of(place.precision),
        str(place.threads),
    ]
    try:
        done = subprocess.run(
            # -P: nothing is imported from the folder where it is run.
            [sys.executable, "-P", "-m", "vidgan.measuring.footprint", *words],
            capture_output=True, text=True, timeout=PATIENCE, check=True,
        )  # fmt: skip
        return float(done.stdout.split()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError):
        return None


def main() -> None:
    word, height, width, scale, device, precision, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    place = Place(device=torch.device(device), precision=hardware.PRECISIONS[precision], threads=int(threads))
    method = methods.method(word, place)
    method.enlarge(torch.zeros(2, 3, int(height), int(width)), int(scale))
    peak = hardware.peak_memory_mb(place.device)
    print("unknown" if peak is None else peak)


if __name__ == "__main__":
    main()
