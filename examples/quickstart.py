"""The whole road in one file: two networks, a minute of training, a test on what they learned, a video, a comparison.

python examples/quickstart.py [VIDEO]
"""

import sys
import tempfile
from pathlib import Path

import vidgan

clip = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "media" / "bunny.mp4"
folder = Path(tempfile.mkdtemp(prefix="vidgan-"))

generator = vidgan.create_generator(features=32, blocks=4)
discriminator = vidgan.create_discriminator(features=32)

vidgan.train(generator, discriminator, clip, out=folder / "run", faithful_steps=900, realistic_steps=250)
for name, number in vidgan.test(generator, discriminator, clip).items():
    print(f"{name:>16} {number:8.3f}")

made = vidgan.generate_video(clip, folder / "large.mp4", model=generator, scale=4)
print(f"{made.frames} frames of {made.width}x{made.height} at {made.fps} a second: {made.output}")

for contender in vidgan.compare(clip, made.output).contenders:  # against what it was made from
    consistency = contender.means()["consistency"]
    print(f"{contender.name}: brought down, it gives the source again with {consistency:.1f} dB")
