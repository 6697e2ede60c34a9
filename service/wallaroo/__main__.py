"""`python -m wallaroo`: the command."""

import sys

from wallaroo.cli import main

if __name__ == "__main__":
    sys.exit(main())
