"""The command line. Nothing is loaded with this package: the supervisor lives in it, and is to be small."""
