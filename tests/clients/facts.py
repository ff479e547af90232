"""What is where in tests/library: a question, the document that answers it first, and the place in it."""

from typing import NamedTuple


class Fact(NamedTuple):
    query: str
    path: str
    place: dict
    text: str


PDF = Fact("cleaning the strainer", "house/heat-pump-manual.pdf", {"page": 4, "heading": "Cleaning the strainer"}, "hexagonal cap")
DOCX = Fact("lease notice period", "house/lease-mill-lane-7.docx", {"heading": "Notice period"}, "three months")
MARKDOWN = Fact("band saw blades", "workshop/band-saw.md", {"heading": "Blades"}, "2,950 mm")
