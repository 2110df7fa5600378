"""The steps, one file each, found by name. A file whose name starts with ``_`` is no step."""

import pixelmill.recipes  # noqa: F401  (the registry loads this package's modules: it must come first)
