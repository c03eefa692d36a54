"""A network that `vidgan export fast fast.onnx` wrote, on a video, without vidgan: numpy, onnxruntime and PyAV.

python examples/run_onnx.py fast.onnx IN.mp4 OUT.mp4
"""

import sys

import av
import numpy as np
import onnxruntime

network, source, target = sys.argv[1:]
session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
notes = session.get_modelmeta().custom_metadata_map
scale, fold = int(notes["scale"]), int(notes["fold"])
memories = [given for given in session.get_inputs() if given.name.startswith("memory")]

with av.open(source) as small, av.open(target, "w") as large:
    film = small.streams.video[0]
    sides = -(-film.height // fold), -(-film.width // fold)
    state = {given.name: np.zeros((1, given.shape[1], *sides), np.float32) for given in memories}
    coded = large.add_stream("libx264", rate=film.average_rate, options={"crf": "17"})
    coded.width, coded.height = film.width * scale, film.height * scale
    for number, frame in enumerate(small.decode(film)):
        pixels = frame.to_ndarray(format="rgb24").transpose(2, 0, 1)[None]
        begins = (
            {"begins": np.array(number == 0)} if memories else {}
        )  # true at every cut would be better still
        picture, *left = session.run(None, {"frame": pixels.astype(np.float32) / 255, **begins, **state})
        state = dict(zip(state, left, strict=True))
        codes = np.ascontiguousarray(np.rint(picture[0] * 255).astype(np.uint8).transpose(1, 2, 0))
        large.mux(coded.encode(av.VideoFrame.from_ndarray(codes, format="rgb24")))
    large.mux(coded.encode())
