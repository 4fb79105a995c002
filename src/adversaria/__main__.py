"""`python -m adversaria` is the command `adversaria`."""

import sys

from adversaria.cli import main

if __name__ == "__main__":
    sys.exit(main())
