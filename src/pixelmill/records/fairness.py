"""Who goes first, and how much of one owner is taken in.

The queue serves the smallest number first, and what has the same number in the order it came. That number is made of
three: how much its owner has in hand already, the priority that was asked for, and how far down its own batch an image
is. So one photo goes ahead of ten thousand that somebody else, or another batch of the same owner, sent before it; and
a priority orders an owner's own work, but pushes nobody aside who has less in hand.
"""

from __future__ import annotations

from sqlalchemy import bindparam, func, select

from pixelmill.errors import PixelmillError
from pixelmill.records.tables import OPEN, images, keys
from pixelmill.records.transaction import Transaction

#: The lowest priority that can be asked for. With two bits on either side it fills the 21 that BullMQ has.
LOWEST = 2**17 - 1
#: Images ahead, from which on the next number begins.
STEPS = (10, 100, 1_000)
#: Seconds after which it is worth asking again when too many images are in flight.
SOON = 5

_SOME = (
    select(images.c.id).where(images.c.owner == bindparam("whose"), images.c.state.in_(OPEN)).limit(bindparam("most"))
)
_IN_FLIGHT = select(func.count()).select_from(_SOME.subquery())


def rank(priority: int, *, ahead: int, position: int) -> int:
    """The queue's number: 0 goes first. ``ahead``: images its owner has in hand; ``position``: in its batch."""
    return _step(ahead) << 19 | min(priority, LOWEST) << 2 | _step(position)


def _step(count: int) -> int:
    return sum(count >= step for step in STEPS)


async def in_flight(connection: Transaction, owner: str, most: int) -> int:
    """How many images of ``owner`` wait or are worked on; counted up to ``most``."""
    return await connection.scalar(_IN_FLIGHT, {"whose": owner, "most": most}) or 0


async def fit(tx: Transaction, owner: str, count: int, most: int) -> None:
    """Raises ``quota-exceeded`` unless ``count`` more images fit; exact when every transaction that adds some asks.

    Requests of one owner wait for each other here: its keys are locked until the transaction ends.
    """
    await tx.execute(select(keys.c.id).where(keys.c.owner == owner).order_by(keys.c.id).with_for_update())
    if count > most:
        raise PixelmillError("too-many-files", f"At most {most} images of one key are taken at a time.")
    if await in_flight(tx, owner, most) + count > most:
        raise full(most)


def full(most: int) -> PixelmillError:
    """There are ``most`` images already."""
    extra = {"violated-policies": ["images"], "retryAfter": SOON}
    return PixelmillError("quota-exceeded", f"No more than {most} images wait or are worked on at a time.", extra)
