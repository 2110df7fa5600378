"""A compiled statement does what SQLAlchemy does with the same statement; what it cannot do is left to SQLAlchemy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    NullPool,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from pixelmill.records.compiled import Known
from pixelmill.records.tables import EPOCH, now
from pixelmill.records.tables.columns import Timestamp

things = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String(20), nullable=False, default="nobody"),
    Column("facts", JSON, nullable=False),
    Column("good", Boolean, nullable=False, default=True),
    Column("share", Float),
    Column("at", Timestamp),
)
made_up = Table("made_up", MetaData(), Column("id", Integer, primary_key=True), Column("facts", JSON, default=dict))

INSERT = insert(things)
UPDATE = update(things).where(things.c.id == bindparam("its"))
FIND = select(things).where(things.c.id == bindparam("its"))
TWO = select(things.c.id).where(things.c.name.in_([literal("a"), literal("b")])).limit(bindparam("most"))


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite+pysqlite://", poolclass=NullPool)
    with engine.connect() as connection:
        things.create(connection)
        made_up.create(connection)
        yield connection
    engine.dispose()


def raw(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def run(connection: Connection, statement: Any, values: Any = None) -> Any:
    known = Known()
    assert known.compiled(connection, statement, values) is None  # what is seen once is not worth it
    compiled = known.compiled(connection, statement, values)
    assert compiled is not None
    assert known.compiled(connection, statement, values) is compiled
    return compiled.run(raw(connection), values)


def row(number: int, **values: Any) -> dict[str, Any]:
    return {"id": number, "name": "a", "facts": {}, "good": True, "share": None, "at": None} | values


JSONS = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(), lambda one: st.lists(one, max_size=3))
ROWS = st.fixed_dictionaries(
    {
        "name": st.text(max_size=20).filter(lambda text: "\0" not in text),
        "facts": JSONS | st.dictionaries(st.text(), JSONS, max_size=3),
        "good": st.booleans(),
        "share": st.none() | st.floats(allow_nan=False),
        "at": st.none()
        | st.datetimes(min_value=EPOCH.replace(tzinfo=None)).map(lambda at: at.replace(tzinfo=EPOCH.tzinfo)),
    }
)


@given(ROWS)
def test_values_go_in_and_come_out_as_with_sqlalchemy(values: dict[str, Any]) -> None:
    engine = create_engine("sqlite+pysqlite://", poolclass=NullPool)
    with engine.connect() as connection:
        things.create(connection)
        connection.execute(INSERT, {"id": 1, **values})
        run(connection, INSERT, {"id": 2, **values})
        connection.execute(INSERT, {"id": 3, "facts": {}})
        assert run(connection, UPDATE, {"its": 3, **values}).rowcount == 1
        by_sqlalchemy = [connection.execute(FIND, {"its": number}).one() for number in (1, 2, 3)]
        ours = [run(connection, FIND, {"its": number}).one() for number in (1, 2, 3)]
    engine.dispose()
    assert ours == by_sqlalchemy
    assert [one._mapping for one in ours] == [{"id": number, **values} for number in (1, 2, 3)]


def test_many_rows_and_defaults(connection: Connection) -> None:
    run(connection, INSERT, [{"id": 1, "facts": {}}, {"id": 2, "facts": [1]}])
    assert connection.execute(select(things.c.name, things.c.good, things.c.facts)).all() == [
        ("nobody", True, {}),
        ("nobody", True, [1]),
    ]


def test_results_are_as_any_other(connection: Connection) -> None:
    run(connection, INSERT, [row(1), row(2, name="b", at=now()), row(3, name="c")])
    assert sorted(run(connection, TWO, {"most": 5}).scalars()) == [1, 2]
    assert len(run(connection, TWO, {"most": 1}).all()) == 1
    assert run(connection, FIND, {"its": 9}).one_or_none() is None
    assert run(connection, select(func.count()).select_from(things)).scalar() == 3
    assert run(connection, delete(things).where(things.c.id == bindparam("its")), {"its": 1}).rowcount == 1
    assert run(connection, UPDATE, {"its": 1, "name": "x"}).rowcount == 0


def test_names_that_are_set_make_the_text(connection: Connection) -> None:
    known = Known()
    known.compiled(connection, UPDATE, {"its": 1, "name": "x"})
    one = known.compiled(connection, UPDATE, {"its": 1, "name": "x"})
    other = known.compiled(connection, UPDATE, {"its": 1, "good": False})
    assert one is not None and other is not None and one is not other
    run(connection, INSERT, row(1))
    one.run(raw(connection), {"its": 1, "name": "x"})
    other.run(raw(connection), {"its": 1, "good": False})
    assert connection.execute(select(things.c.name, things.c.good)).one() == ("x", False)


def test_a_row_that_lacks_a_value_is_refused(connection: Connection) -> None:
    known = Known()
    rows = [row(1), {"id": 2, "facts": {}}]
    known.compiled(connection, INSERT, rows)
    compiled = known.compiled(connection, INSERT, rows)
    assert compiled is not None
    with pytest.raises(KeyError):
        compiled.run(raw(connection), rows)
    assert connection.execute(select(func.count()).select_from(things)).scalar() == 0


def test_what_breaks_a_rule_is_sqlalchemys_error(connection: Connection) -> None:
    run(connection, INSERT, row(1))
    with pytest.raises(IntegrityError):
        run(connection, INSERT, row(1))


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (select(things).where(things.c.id.in_(bindparam("these", expanding=True))), {"these": [1]}),
        (select(things).where(things.c.name.in_(["a", "b"])), {}),
        (insert(made_up), {"id": 1}),
        (insert(things).returning(things.c.id), row(1)),
        (FIND, {}),
        (select(things.c.id, made_up.c.id).join(made_up, made_up.c.id == things.c.id), {}),
        (INSERT, []),
        (things, {}),
        ("SELECT 1", None),
    ],
)
def test_the_rest_is_left_to_sqlalchemy(connection: Connection, statement: Any, values: Any) -> None:
    known = Known()
    assert [known.compiled(connection, statement, values) for _ in range(3)] == [None] * 3


def test_what_is_not_kept_by_anybody_is_forgotten(connection: Connection) -> None:
    known = Known()
    for number in range(50):
        known.compiled(connection, select(things).where(things.c.id == number), {})
    assert len(known) < 5
