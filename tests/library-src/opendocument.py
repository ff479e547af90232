"""The OpenDocument files of tests/library, in the form that LibreOffice gives them."""

from xml.sax.saxutils import escape

SPACES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in [("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"), ("style", "style"),
                         ("presentation", "presentation"), ("meta", "meta"), ("manifest", "manifest")]
) + ' xmlns:dc="http://purl.org/dc/elements/1.1/" office:version="1.3"'


def document(pack, path: str, kind: str, body: str, title: str, author: str, created: str, statistic: str = "", styles: str = "") -> None:
    mime = f"application/vnd.oasis.opendocument.{kind}"
    meta = (
        f"<office:document-meta {SPACES}><office:meta><meta:initial-creator>{author}</meta:initial-creator><meta:creation-date>{created}"
        f"</meta:creation-date><dc:title>{escape(title)}</dc:title>{statistic}</office:meta></office:document-meta>"
    )
    automatic = (
        '<office:automatic-styles><style:style style:name="P1" style:family="paragraph" style:parent-style-name="Title"/>'
        "</office:automatic-styles>"
    )
    pack(path, {
        "content.xml": f"<office:document-content {SPACES}>{automatic}<office:body><office:{kind}>{body}</office:{kind}></office:body>"
        "</office:document-content>",
        "styles.xml": f"<office:document-styles {SPACES}><office:master-styles>{styles}</office:master-styles></office:document-styles>",
        "meta.xml": meta,
        "META-INF/manifest.xml": f'<manifest:manifest {SPACES}><manifest:file-entry manifest:full-path="/" manifest:media-type="{mime}"/>'
        + "".join(f'<manifest:file-entry manifest:full-path="{part}" manifest:media-type="text/xml"/>' for part in ("content.xml", "styles.xml", "meta.xml"))
        + "</manifest:manifest>",
    }, mime)


def p(text: str, style: str = "Standard") -> str:
    return f'<text:p text:style-name="{style}">{escape(text)}</text:p>'


def h(level: int, text: str) -> str:
    return f'<text:h text:style-name="Heading_20_{level}" text:outline-level="{level}">{escape(text)}</text:h>'


def note(number: int, text: str) -> str:
    return (
        f'<text:note text:id="ftn{number}" text:note-class="footnote"><text:note-citation>{number}</text:note-citation>'
        f"<text:note-body>{p(text, 'Footnote')}</text:note-body></text:note>"
    )


def items(*texts: str) -> str:
    return "<text:list>" + "".join(f"<text:list-item>{p(text)}</text:list-item>" for text in texts) + "</text:list>"


def row(*cells: str) -> str:
    def cell(text: str) -> str:
        if text.replace(".", "", 1).isdigit():
            return f'<table:table-cell office:value-type="float" office:value="{text}"><text:p>{text}</text:p></table:table-cell>'
        return f'<table:table-cell office:value-type="string"><text:p>{escape(text)}</text:p></table:table-cell>' if text else "<table:table-cell/>"

    return f"<table:table-row>{''.join(map(cell, cells))}</table:table-row>"


def tour(pack) -> None:
    """A text with a title, headings, a list, a table, a footnote and a header."""
    travel = (
        '<text:p text:style-name="Standard">The coach leaves from the Plough at half past six sharp.'
        + note(1, "The driver waits for nobody; in 2019 he did not wait for the tenors.")
        + '<text:s/> Seats are numbered,<text:line-break/>scores go into the <text:span text:style-name="T1">luggage hold</text:span>.</text:p>'
    )
    table = '<table:table table:name="Rooms">' + row("House", "Beds", "Who") + row("Priory", "12", "sopranos, altos") + row("Old Mill", "9", "the others") + "</table:table>"
    body = (
        p("Concert tour to the coast", "P1") + p("Three days in September, as agreed in the annual meeting.")
        + h(1, "Travel") + travel + h(2, "What to bring") + items("black folder, no ring binders", "shoes for the shingle beach", "a torch: the priory has no light in the cloister")
        + h(1, "Concerts") + p("Friday at eight in the priory, Sunday after the service in St Aldhelm's. The acoustics of the priory want slow tempi.")
        + h(1, "Lodging") + table + p("Breakfast is at eight; who sings early asks the warden for porridge.")
    )
    header = '<style:master-page style:name="Standard"><style:header><text:p>Village choir, tour 2024</text:p></style:header></style:master-page>'
    statistic = '<meta:document-statistic meta:page-count="2" meta:paragraph-count="14"/>'
    document(pack, "club/choir-tour.odt", "text", body, "Concert tour to the coast", "Ines Ashdown", "2024-02-11T18:20:00", statistic, header)


def costs(pack) -> None:
    """A workbook with repeated empty rows, as every one that LibreOffice writes."""
    empty = '<table:table-row table:number-rows-repeated="1048560"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    gap = '<table:table-row table:number-rows-repeated="4"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    power = [("January", 412, 98.9), ("February", 371, 89.0), ("March", 268, 64.3), ("April", 149, 35.8)]
    year = row("Month", "kWh", "Paid") + "".join(row(month, str(kwh), str(paid)) for month, kwh, paid in power) + gap
    year += row("Remark", "", "the meter was exchanged on 14 March; old reading 48213, new one 7")
    wood = row("Delivery", "Cubic metres", "Price") + row("ash, split, from Hollins Wood", "3.5", "315")
    body = f'<table:table table:name="Heat pump 2024">{year}{empty}</table:table><table:table table:name="Firewood">{wood}{empty}</table:table>'
    document(pack, "house/heating-costs.ods", "spreadsheet", body, "Heating costs", "Rowan Ashdown", "2024-05-01T08:00:00")


def beds(pack) -> None:
    """Slides with titles, lists and notes, one of them hidden behind a picture of words."""
    def slide(number: int, title: str, content: str, notes: str) -> str:
        return (
            f'<draw:page draw:name="page{number}"><draw:frame presentation:class="outline"><draw:text-box>{content}</draw:text-box></draw:frame>'
            f'<draw:frame presentation:class="title"><draw:text-box>{p(title)}</draw:text-box></draw:frame><presentation:notes>'
            f'<draw:page-thumbnail/><draw:frame presentation:class="notes"><draw:text-box>{p(notes)}</draw:text-box></draw:frame></presentation:notes></draw:page>'
        )

    body = (
        slide(1, "Crop rotation on Plot 23", items("four beds, four years", "nothing follows itself"), "Five minutes; the committee has heard of rotation before.")
        + slide(2, "What moves where", items("beans and peas feed the bed", "cabbages take what they left", "roots after cabbages, then potatoes"), "Show the chart from 2019.")
        + slide(3, "Club root", items("lime the cabbage bed in October", "no brassicas there for seven years"), "The infected bed was the one by the water butt.")
    )
    document(pack, "garden/crop-rotation.odp", "presentation", body, "Crop rotation on Plot 23", "Ines Ashdown", "2024-01-28T15:00:00")


def build(pack) -> None:
    tour(pack)
    costs(pack)
    beds(pack)
