"""What this machine has and runs well: devices, precisions, memory, energy."""

import ctypes
import re
import sys
from functools import partial
from pathlib import Path

import torch
from torch import nn

from vidgan.errors import BadOption

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

STATUS = Path("/proc/self/status")
POWERCAP = Path("/sys/class/powercap")  # where Linux tells what processors have drawn

# Of glibc's mallopt.
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, ARENA_MAX = -1, -2, -3, -8


def device_of(word: str) -> torch.device:
    """auto, cpu, cuda, cuda:1, mps -> the device. Raises BadOption where torch finds no such one here."""
    if word == "auto":
        return best_device()
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    kind, _, number = word.partition(":")
    if kind not in present or not re.fullmatch(r"(cpu|mps)(:0)?|cuda(:(0|[1-9][0-9]{0,3}))?", word):
        raise BadOption(f"--device {word} is not known", f"Use auto or one of: {', '.join(present)}.")
    if not present[kind] or (kind == "cuda" and int(number or 0) >= torch.cuda.device_count()):
        raise BadOption(f"--device {word}: torch finds no such device here", "Leave --device out.")
    return torch.device(word)


def place_of(network: nn.Module) -> torch.device:
    """Where its weights are; the processor where it has none."""
    return next((weight.device for weight in network.parameters()), torch.device("cpu"))


def precision_of(word: str, device: torch.device) -> torch.dtype:
    """auto, fp32, bf16, fp16 -> the precision; auto is the quickest there. Raises BadOption."""
    if word == "auto":
        return quick_precision(device)
    if word not in PRECISIONS:
        raise BadOption(f"--precision {word} is not known", f"Use auto or one of: {', '.join(PRECISIONS)}.")
    if word == "fp16" and device.type == "cpu":
        raise BadOption("--precision fp16 does not run on a processor", "Use bf16 or fp32, or leave it out.")
    return PRECISIONS[word]


def word_of(precision: torch.dtype | str) -> str:
    """The option's word for a precision, or for its name in a file; of another name the name itself."""
    names = {name_of(dtype): word for word, dtype in PRECISIONS.items()}
    name = precision if isinstance(precision, str) else name_of(precision)
    return names.get(name, name)


def name_of(precision: torch.dtype) -> str:
    """As sidecars and the journals of videos in the making hold it: torch's name, float32."""
    return str(precision).removeprefix("torch.")


def best_device() -> torch.device:
    """The accelerator that torch can use here, or the processor."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def quick_precision(device: torch.device) -> torch.dtype:
    """The precision in which convolutions run fastest: half where the hardware has it, else float32.

    bfloat16 on a processor pays only where it has instructions for it (AMX, AVX-512 BF16); elsewhere it is
    emulated, and slower than float32.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "mps":
        return torch.float16
    if not hasattr(torch.cpu, "get_capabilities"):  # the oldest torch that we take has no such thing
        return torch.float32
    able = torch.cpu.get_capabilities()
    return torch.bfloat16 if able.get("amx_bf16") or able.get("avx512_bf16") else torch.float32


def autocast(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Convolutions in the given precision within the block; float32 leaves them as they are."""
    if precision is torch.float32:
        return torch.autocast(device.type, enabled=False)
    return torch.autocast(device.type, precision)


def search_kernels(device: torch.device) -> None:
    """Let cuDNN try its kernels on the first batch of each size: right where sizes repeat, as in training."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True


def keep_memory() -> None:
    """Ask the C library to keep the memory that a frame frees for the next frame.

    glibc hands every large block back to the system, and the next frame pays to have it cleared again: about
    a tenth of its time. It also gives each thread a heap of its own; a frame is made by one thread and freed by
    another, and so those heaps would grow by 3 KB a frame for as long as the video lasts: one heap for all does
    not grow. Elsewhere nothing is done.
    """
    _tell_allocator((ARENA_MAX, 1), (MMAP_THRESHOLD, 1 << 30), (TRIM_THRESHOLD, 1 << 30), (TOP_PAD, 64 << 20))


def return_memory() -> None:
    """Ask the C library to hand every large block back to the system at once.

    What a process holds is then what it uses, with no gaps between: where memory is capped, that counts for more than
    the tenth of a frame's time that clearing it again takes. One heap for all threads, as in `keep_memory`.
    """
    _tell_allocator((ARENA_MAX, 1), (MMAP_THRESHOLD, 1 << 20), (TRIM_THRESHOLD, 1 << 20))


def _tell_allocator(*wishes: tuple[int, int]) -> None:
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    for name, value in wishes:
        mallopt(name, value)


def peak_memory_mb(device: torch.device | None = None) -> float | None:
    """The most memory that this process has held so far, in 2**20 bytes; None where the system does not tell.

    device  a GPU, for its own memory
    """
    if device is not None and device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / (1 << 20), 1)
    try:  # before getrusage, which in a new process tells of the one that started it
        lines = STATUS.read_text().splitlines()
        return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024, 1)
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


def memory_mb() -> float | None:
    """What this process holds now, in 2**20 bytes; None where the system does not tell."""
    try:
        lines = STATUS.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
    except (OSError, StopIteration):
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a memory is full: the processor's, an accelerator's, or FFmpeg's."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    # As the processor's allocator, Metal, the CUDA libraries, and oneDNN, a processor's convolutions, say it.
    signs = ("can't allocate memory", "out of memory", "ALLOC_FAILED", "could not create a primitive")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)


class Energy:
    """What the processors, or the accelerator, draw from now on: all that runs on them, not this process alone."""

    def __init__(self, device: torch.device) -> None:
        self._read = partial(_nvidia_millijoules, device) if device.type == "cuda" else _processor_microjoules
        self._unit = 1e-3 if device.type == "cuda" else 1e-6
        self._before = self._read()

    def joules(self) -> float | None:
        """Since the beginning; None where the machine does not tell."""
        now = self._read()
        if now is None or self._before is None or now.keys() != self._before.keys():
            return None
        drawn = 0.0
        for name, (counter, wraps_at) in now.items():
            more = counter - self._before[name][0]
            drawn += more if more >= 0 else more + wraps_at
        return drawn * self._unit


def _processor_microjoules() -> dict[str, tuple[int, int]] | None:
    """Each processor package's counter, and where it begins again. Reading it may be root's privilege."""
    found = {}
    for package in sorted(POWERCAP.glob("*-rapl:[0-9]*")):
        if package.name.count(":") > 1:  # a part of a package
            continue
        try:
            counter = int((package / "energy_uj").read_text())
            found[package.name] = (counter, int((package / "max_energy_range_uj").read_text()))
        except (OSError, ValueError):
            return None
    return found or None


def _nvidia_millijoules(device: torch.device) -> dict[str, tuple[int, int]] | None:
    """That GPU's counter, by the library that comes with every NVIDIA driver."""
    # By its own name: the library counts the cards of the machine, and torch those that it is shown.
    if (name := getattr(torch.cuda.get_device_properties(device), "uuid", None)) is None:
        return None
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1" if sys.platform != "win32" else "nvml.dll")
    except OSError:
        return None
    if library.nvmlInit_v2() != 0:
        return None
    card, counter = ctypes.c_void_p(), ctypes.c_ulonglong()
    told = library.nvmlDeviceGetHandleByUUID(f"GPU-{name}".encode(), ctypes.byref(card)) == 0
    told = told and library.nvmlDeviceGetTotalEnergyConsumption(card, ctypes.byref(counter)) == 0
    library.nvmlShutdown()
    return {"gpu": (counter.value, 1 << 64)} if told else None
