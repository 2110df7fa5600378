"""Statements that SQLite runs often, put together once by SQLAlchemy and then handed to the driver as they are.

To execute a statement takes SQLAlchemy three times as long as it takes SQLite to run it. One that is made once (a
constant of a module) has the same text, the same conversions and the same columns each time: these are kept. What is
made anew each time, and what needs SQLAlchemy's help (``IN`` with a list, defaults that are worked out), is left to it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.schema import ScalarElementColumnDefault

Values = Mapping[str, Any]
Statement = Select[Any] | Insert | Update | Delete
_GIVEN = object()
"""In place of a value that each row must give."""


class Compiled:
    """The text of a statement for one set of names, and how values go in and come out."""

    def __init__(self, made: SQLCompiler, defaults: Values, dialect: Dialect) -> None:
        self._text = str(made)
        self._in: list[tuple[str, Any, Callable[[Any], Any] | None]] = []
        for name in made.positiontup or ():
            bound = made.binds[name]
            fixed = defaults.get(name, _GIVEN if bound.required else bound.effective_value)
            self._in.append((name, fixed, bound.type.dialect_impl(dialect).bind_processor(dialect)))
        self._metadata: SimpleResultMetaData | None = None
        if isinstance(made.statement, Select):
            columns = [*made.statement.selected_columns]
            out = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
            self._metadata = SimpleResultMetaData([str(column.key) for column in columns], _processors=out)

    def run(
        self, raw: sqlite3.Connection, values: Values | Sequence[Values] | None
    ) -> IteratorResult[Any] | sqlite3.Cursor:
        """Of what returns rows a result of SQLAlchemy, of everything else what has its ``rowcount``.

        Raises SQLAlchemy's IntegrityError, as it would itself, and KeyError for a row that lacks what the first has.
        """
        try:
            if values is None or isinstance(values, Mapping):
                cursor = raw.execute(self._text, self._row(values or {}))
            else:
                cursor = raw.executemany(self._text, [self._row(one) for one in values])
        except sqlite3.IntegrityError as error:
            raise IntegrityError(self._text, None, error) from error
        return cursor if self._metadata is None else IteratorResult(self._metadata, iter(cursor.fetchall()))

    def _row(self, values: Values) -> list[Any]:
        row = []
        for name, fixed, convert in self._in:
            value = values[name] if fixed is _GIVEN else values.get(name, fixed)
            row.append(value if convert is None else convert(value))
        return row


class Known:
    """The statements that have been seen, as long as they are there."""

    def __init__(self) -> None:
        self._seen: WeakKeyDictionary[Statement, dict[tuple[str, ...], Compiled | None]] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._seen)

    def compiled(
        self, connection: Connection, statement: Any, values: Values | Sequence[Values] | None
    ) -> Compiled | None:
        """None for what SQLAlchemy is to execute. So is everything at first sight: most of it is not seen again."""
        if not isinstance(statement, Statement) or values == []:
            return None
        forms = self._seen.get(statement)
        if forms is None:
            self._seen[statement] = {}
            return None
        first = values[0] if isinstance(values, Sequence) else values
        names = tuple(first or ())
        if names not in forms:
            forms[names] = _compile(statement, names, connection.dialect)
        return forms[names]


def _compile(statement: Statement, names: Sequence[str], dialect: Dialect) -> Compiled | None:
    keys = [*names] if isinstance(statement, Insert | Update) else None
    made = statement.compile(dialect=dialect, column_keys=keys)
    assert isinstance(made, SQLCompiler)
    defaults = {column.key: column.default for column in (*made.insert_prefetch, *made.update_prefetch)}
    fixed = {name: one.arg for name, one in defaults.items() if isinstance(one, ScalarElementColumnDefault)}
    needs_help = (
        made.post_compile_params,
        made.literal_execute_params,
        made.effective_returning,
        len(fixed) < len(defaults),
        # What is not given, and has no value of its own, is an error that SQLAlchemy tells.
        {name for name in made.positiontup or () if made.binds[name].required} - {*names, *fixed},
        isinstance(statement, Select) and _named_twice(statement),
    )
    return None if any(needs_help) else Compiled(made, fixed, dialect)


def _named_twice(statement: Select[Any]) -> bool:
    names = [column.key for column in statement.selected_columns]
    return len(set(names)) < len(names)
