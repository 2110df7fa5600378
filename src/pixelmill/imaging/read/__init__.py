"""The inputs that libvips' wheel cannot read, or reads with more work than need be: one file each."""

from PIL import Image

Image.MAX_IMAGE_PIXELS = None  # our own limits were held against the header already
