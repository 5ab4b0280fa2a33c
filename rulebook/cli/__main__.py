"""`python -m rulebook.cli`."""

import sys

from rulebook.cli import main

if __name__ == "__main__":
    sys.exit(main())
