"""The way in for ``python -m madsci.demo``."""

import sys

from madsci.demo.program import main

if __name__ == "__main__":
    sys.exit(main())
