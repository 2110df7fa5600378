"""What records ask of a transaction: the part of SQLAlchemy's AsyncConnection that SQLite's own has too.

Named here, because to import AsyncConnection is to import SQLAlchemy's ORM: 6 MB in every process, for its name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, CursorResult, ScalarResult

T = TypeVar("T")


class Transaction(Protocol):
    """Of a statement's result records use what every result of SQLAlchemy has, and ``rowcount``."""

    async def execute(self, statement: Any, parameters: Any = None) -> CursorResult[*tuple[Any, ...]]: ...

    async def scalar(self, statement: Any, parameters: Any = None) -> Any: ...

    async def scalars(self, statement: Any, parameters: Any = None) -> ScalarResult[Any]: ...

    async def rollback(self) -> None: ...

    async def run_sync(self, work: Callable[[Connection], T], /) -> T: ...
