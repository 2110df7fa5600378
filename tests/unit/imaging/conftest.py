"""One thread for the arithmetic, as in a decoder: tests run beside each other."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("VIPS_CONCURRENCY", "1")
