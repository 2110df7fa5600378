"""Finding the blocks of a document that a reader would run."""

from __future__ import annotations

from tests.documents import ROOT, blocks

DOCUMENT = """
# Title
<!-- start -->
```sh
git clone https://code.example/pixelmill && cd pixelmill
make run
```
Text
<!-- not run: needs a cluster -->
```sh
kubectl apply -f .
```
- a list
  ```bash
  curl http://127.0.0.1:3000/livez
  ```
<!-- not run: -->
```python
print("localhost:3000")
```
```json
{}
```
"""


def test_what_is_run_and_what_is_not() -> None:
    start, cluster, curl, python, answer = blocks(DOCUMENT)
    assert [block.runs for block in (start, cluster, curl, python, answer)] == [False, False, True, True, False]
    assert start.starts
    assert start.line == 4


def test_a_block_leaves_its_list() -> None:
    assert blocks(DOCUMENT)[2].code == "curl http://127.0.0.1:3000/livez\n"


def test_addresses_are_put_in() -> None:
    start, _, curl, python, _ = blocks(DOCUMENT)
    assert "http://127.0.0.1:4444/livez" in curl.command("127.0.0.1:4444")[-1]
    assert python.command("127.0.0.1:4444")[-1] == 'print("127.0.0.1:4444")\n'
    assert start.command("")[-1].startswith(f"git clone --quiet '{ROOT}' pixelmill && cd pixelmill\n")
