"""Real codecs, because no formula blurs, blocks and smears through time as they do."""

import torch
from torch import Tensor


def encoded(frames: Tensor, codec: str, crf: float) -> Tensor:
    """Frames (T, 3, H, W) as they come back from a real encoder at the given quality.

    codec  h264, hevc, mpeg4, mpeg2 or vp9
    """
    # Only here: training from a packed store without this damage runs where PyAV is not installed.
    from vidgan.video.codec import compress

    pixels = (frames.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
    back = torch.from_numpy(compress(pixels, codec=codec, crf=crf))
    return back.permute(0, 3, 1, 2).to(frames.dtype) / 255
