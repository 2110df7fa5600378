"""How variants are made: bytes and a recipe in, bytes and facts out. Knows no queue, SQL or HTTP.

Importing this package loads no image library: pixels are decoded only in the processes of :class:`Decoders`.
"""

from pixelmill.imaging.results import Inspected, Limits, Made, NotMade, Progress, Result
from pixelmill.imaging.sandbox.pool import DecoderDied, Decoders
from pixelmill.imaging.sniff import sniff

__all__ = ["DecoderDied", "Decoders", "Inspected", "Limits", "Made", "NotMade", "Progress", "Result", "sniff"]
