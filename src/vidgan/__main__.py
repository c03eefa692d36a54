"""`python -m vidgan` is `vidgan`."""

import sys

from vidgan.cli import main

if __name__ == "__main__":
    sys.exit(main())
