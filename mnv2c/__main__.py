"""``python -m mnv2c`` is the same as the ``mnv2c`` command."""

import sys

from mnv2c.cli.main import main

sys.exit(main())
