"""vidgan: generative adversarial networks for video."""

__version__ = "0.1.0"
