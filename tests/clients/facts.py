"""What is where in tests/library: a question, the document that answers it first, and the place in it."""

from typing import NamedTuple


class Fact(NamedTuple):
    query: str
    path: str
    place: dict
    text: str
