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
SLIDE = Fact("piano humidifier tombola", "club/annual-review.pptx", {"page": 3, "heading": "The piano"}, "tombola")
SHEET = Fact("mortise chisel", "workshop/tool-inventory.xlsx", {"page": 1, "heading": "Hand tools", "line": 4}, "Ibex")
ATTACHMENT = Fact("hall rules chairs stacks", "club/hall-booking.eml", {"heading": "hall-rules.md \u203a Leaving"}, "stacks of eight")
MESSAGE = Fact("queen blue dot", "garden/swarm.mbox", {"page": 3, "heading": "The queen is marked"}, "blue dot")
