"""The inputs that libvips' wheel cannot read, or reads with more work than need be: one file each."""
