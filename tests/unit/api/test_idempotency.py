from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelmill.api.idempotency import MOST_LETTERS, Files, of_json, parse
from pixelmill.errors import PixelmillError

texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=MOST_LETTERS)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(texts)
def test_every_structured_string_is_read_back(text: str) -> None:
    quoted = '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
    assert parse([quoted]) == text
    assert parse([f" {quoted}\t"]) == text


@given(st.text(st.characters(max_codepoint=0xFF)))
def test_anything_is_a_key_or_refused(text: str) -> None:
    try:
        key = parse([text])
    except PixelmillError as error:
        assert error.code == "bad-request"
    else:
        assert key is not None
        assert 1 <= len(key) <= MOST_LETTERS
        assert key.isascii()
        assert key.isprintable()


def test_with_and_without_quotes_is_the_same() -> None:
    assert parse(["a-1"]) == parse(['"a-1"']) == "a-1"
    assert parse([]) is None


@given(values, st.integers(0, 4))
def test_the_same_document_however_it_is_written(value: object, indent: int) -> None:
    written = json.dumps(value, indent=indent, ensure_ascii=bool(indent % 2)).encode("utf-8", "surrogatepass")
    assert of_json(written) == of_json(json.dumps(value).encode())


@given(values, values)
def test_another_document_is_another(one: object, other: object) -> None:
    # JSON tells true from 1, as Python does not.
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (of_json(json.dumps(one).encode()) == of_json(json.dumps(other).encode())) == same


@given(st.binary())
def test_what_is_no_json_stands_for_itself(body: bytes) -> None:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        assert of_json(body) == body


@given(st.lists(st.tuples(st.text(), st.lists(st.binary(max_size=20), max_size=4)), max_size=3))
async def test_a_form_is_its_files_however_they_are_cut(files: list[tuple[str, list[bytes]]]) -> None:
    async def content(cut: bool) -> bytes:
        sink = Files(None, 10)
        for name, parts in files:
            file = await sink.file(name)
            for part in parts if cut else [b"".join(parts)]:
                await file.write(part)
            await file.close()
        return sink.content({"a": "1"})

    assert await content(True) == await content(False)


async def test_where_one_file_ends_is_part_of_the_form() -> None:
    async def content(files: list[bytes]) -> bytes:
        sink = Files(None, 10)
        for data in files:
            await (await sink.file("a")).write(data)
        return sink.content({})

    assert await content([b"ab"]) != await content([b"a", b"b"])
    assert await content([b"a", b"b"]) != await content([b"b", b"a"])


async def test_of_a_repeated_form_no_more_files_are_hashed_than_are_taken() -> None:
    sink = Files(None, 2)
    await sink.file("a")
    await sink.file("b")
    with pytest.raises(PixelmillError, match="too-many-files"):
        await sink.file("c")


@pytest.mark.parametrize("values", [["a", "b"], ["a", "a"]])
def test_two_keys_are_refused(values: list[str]) -> None:
    with pytest.raises(PixelmillError):
        parse(values)
