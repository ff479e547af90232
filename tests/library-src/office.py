"""The PPTX and XLSX files of tests/library, with the parts that PowerPoint and Excel want."""

from xml.sax.saxutils import escape

RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SLIDES = (
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    f'xmlns:r="{OFFICE}"'
)


def relations(targets: list[tuple[str, str]]) -> str:
    each = (f'<Relationship Id="rId{n}" Type="{OFFICE}/{kind}" Target="{target}"/>' for n, (kind, target) in enumerate(targets, start=1))
    return f'<Relationships xmlns="{RELATIONS}">{"".join(each)}</Relationships>'


def package(pack, path: str, main: str, kind: str, parts: dict[str, str], types: dict[str, str], title: str, author: str, created: str) -> None:
    root = (
        f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="{main}"/><Relationship Id="r2" '
        'Type="http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties" Target="docProps/core.xml"/></Relationships>'
    )
    core = (
        '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><dc:title>{escape(title)}</dc:title><dc:creator>{escape(author)}</dc:creator>'
        f'<dcterms:created xsi:type="dcterms:W3CDTF">{created}</dcterms:created></cp:coreProperties>'
    )
    overrides = "".join(
        f'<Override PartName="/{part}" ContentType="application/vnd.openxmlformats-officedocument.{kind}.{name}+xml"/>'
        for part, name in types.items()
    )
    content_types = (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        f'{overrides}<Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>'
    )
    pack(path, {"[Content_Types].xml": content_types, "_rels/.rels": root, **parts, "docProps/core.xml": core})


def shape(number: int, kind: str, paragraphs: list[str]) -> str:
    text = "".join(f'<a:p><a:r><a:rPr lang="en-GB"/><a:t>{escape(line)}</a:t></a:r></a:p>' for line in paragraphs)
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="{kind} {number}"/><p:cNvSpPr/><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr><p:spPr/>'
        f"<p:txBody><a:bodyPr/>{text}</p:txBody></p:sp>"
    )


def review(pack) -> None:
    """Slides whose order is not that of their parts, the last with notes and a table."""
    table_row = lambda cells: "<a:tr>" + "".join(f"<a:tc><a:txBody><a:bodyPr/><a:p><a:r><a:t>{cell}</a:t></a:r></a:p></a:txBody></a:tc>" for cell in cells) + "</a:tr>"
    table = "".join(map(table_row, [("Section", "Members", "Absent on average"), ("Sopranos", "9", "1.4"), ("Altos", "7", "0.9"), ("Tenors", "3", "1.1"), ("Basses", "4", "0.2")]))
    slides = {
        1: shape(2, "title", ["Attendance"]) + f'<p:graphicFrame><a:graphic><a:graphicData uri="table"><a:tbl>{table}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>',
        2: shape(2, "ctrTitle", ["The choir's year 2023"]) + shape(3, "subTitle", ["Annual meeting, 19 January 2024"]),
        3: shape(3, "body", ["The piano was tuned four times", "A humidifier now stands behind it", "The tuner recommends new dampers: 640"])
        + shape(2, "title", ["The piano"]) + shape(4, "sldNum", ["3"]),
    }
    tree = lambda content: f"<p:cSld><p:spTree><p:nvGrpSpPr/><p:grpSpPr/>{content}</p:spTree></p:cSld>"
    parts = {
        "ppt/presentation.xml": f'<p:presentation {SLIDES}><p:sldIdLst><p:sldId id="257" r:id="rId2"/><p:sldId id="256" r:id="rId1"/>'
        '<p:sldId id="258" r:id="rId3"/></p:sldIdLst></p:presentation>',
        "ppt/_rels/presentation.xml.rels": relations([("slide", f"slides/slide{n}.xml") for n in slides]),
        **{f"ppt/slides/slide{n}.xml": f"<p:sld {SLIDES}>{tree(content)}</p:sld>" for n, content in slides.items()},
        "ppt/slides/_rels/slide3.xml.rels": relations([("notesSlide", "../notesSlides/notesSlide1.xml")]),
        "ppt/notesSlides/notesSlide1.xml": f"<p:notes {SLIDES}>"
        + tree(shape(2, "sldImg", []) + shape(3, "body", ["Mention that Mrs Lindqvist paid the humidifier out of the tombola."])) + "</p:notes>",
    }
    types = {"ppt/presentation.xml": "presentation.main", "ppt/notesSlides/notesSlide1.xml": "notesSlide"}
    types |= {f"ppt/slides/slide{n}.xml": "slide" for n in slides}
    package(pack, "club/annual-review.pptx", "ppt/presentation.xml", "presentationml", parts, types, "The choir's year 2023", "Mr Oduya", "2024-01-15T19:00:00Z")


def inventory(pack) -> None:
    """Two sheets with shared strings, numbers, dates and a gap of empty rows."""
    strings: list[str] = []

    def cell(place: str, value) -> str:
        if isinstance(value, str):
            strings.append(value)
            return f'<c r="{place}" t="s"><v>{len(strings) - 1}</v></c>'
        style, number = (' s="1"', value[0]) if isinstance(value, tuple) else ("", value)
        return f'<c r="{place}"{style}><v>{number}</v></c>'

    def sheet(rows: dict[int, list]) -> str:
        body = "".join(
            f'<row r="{number}">{"".join(cell(f"{chr(65 + column)}{number}", value) for column, value in enumerate(values) if value != "")}</row>'
            for number, values in rows.items()
        )
        return f'<worksheet xmlns="{SHEET}"><sheetData>{body}</sheetData></worksheet>'

    hand = sheet({1: ["Tool", "Maker", "Bought", "Price"], 2: ["dovetail saw, 20 points", "Harrow & Sons", (43904,), 68.5],
                  3: ["marking gauge", "", (44317,), 24], 4: ["mortise chisel, 8 mm", "Ibex", (44820,), 31.9],
                  12: ["lent to Tom Ferrier: the spokeshave, since Easter"]})
    machines = sheet({1: ["Machine", "Watts", "Next service"], 2: ["band saw", 750, (45540,)], 3: ["pillar drill, belt B34 worn", 370, (45383,)]})
    items = "".join(f"<si><t>{escape(text)}</t></si>" for text in strings)
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}"><sheets><sheet name="Hand tools" sheetId="1" r:id="rId1"/>'
        '<sheet name="Machines" sheetId="2" r:id="rId2"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations([("worksheet", "worksheets/sheet1.xml"), ("worksheet", "worksheets/sheet2.xml"),
                                                 ("sharedStrings", "sharedStrings.xml"), ("styles", "styles.xml")]),
        "xl/worksheets/sheet1.xml": hand,
        "xl/worksheets/sheet2.xml": machines,
        "xl/sharedStrings.xml": f'<sst xmlns="{SHEET}" count="{len(strings)}" uniqueCount="{len(strings)}">{items}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{SHEET}"><fonts count="1"><font/></fonts><fills count="1"><fill/></fills><borders count="1"><border/></borders>'
        '<cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs></styleSheet>',
    }
    types = {"xl/workbook.xml": "sheet.main", "xl/worksheets/sheet1.xml": "worksheet", "xl/worksheets/sheet2.xml": "worksheet",
             "xl/sharedStrings.xml": "sharedStrings", "xl/styles.xml": "styles"}
    package(pack, "workshop/tool-inventory.xlsx", "xl/workbook.xml", "spreadsheetml", parts, types, "Tools", "Rowan Ashdown", "2024-03-09T11:00:00Z")


def build(pack) -> None:
    review(pack)
    inventory(pack)
