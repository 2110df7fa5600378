"""How variants are made: bytes and a recipe in, bytes and facts out. Knows no queue, SQL or HTTP."""

from pixelmill.imaging.results import Inspected, Limits, Made, NotMade, Progress, Result

__all__ = ["Inspected", "Limits", "Made", "NotMade", "Progress", "Result"]
