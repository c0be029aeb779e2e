"""`python -m augviz`."""

import sys

from augviz.cli import main

sys.exit(main())
