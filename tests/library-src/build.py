#!/usr/bin/env python3
"""Makes the packed files of tests/library: `python3 tests/library-src/build.py`.

Their results are committed, so this is needed only after a change here. PDFs are set by GNU troff (Debian package groff);
all others are written with Python's standard library alone, byte for byte the same at every run.
"""

import os
import pathlib
import subprocess
import zipfile
from xml.sax.saxutils import escape

import books
import mail
import office
import opendocument

HERE = pathlib.Path(__file__).resolve().parent
LIBRARY = HERE.parent / "library"

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def pdf(name: str, folder: str) -> None:
    """Sets `name`.ms with the macros of house.tmac."""
    command = ["groff", "-Tpdf", "-t", "-k", "-ms", "-mpdfmark", "-P-pa4", HERE / "house.tmac", HERE / f"{name}.ms"]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1571011200", "TZ": "UTC"}
    done = subprocess.run(command, check=True, capture_output=True, env=environment)
    (LIBRARY / folder / f"{name}.pdf").write_bytes(done.stdout)


def run(text: str, bold: bool = False) -> str:
    properties = "<w:rPr><w:b/></w:rPr>" if bold else ""
    return f'<w:r>{properties}<w:t xml:space="preserve">{escape(text)}</w:t></w:r>'


def paragraph(text: str, style: str = "Normal", note: int | None = None) -> str:
    mark = f'<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:footnoteReference w:id="{note}"/></w:r>' if note else ""
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr>{run(text)}{mark}</w:p>'


def table(rows: list[list[str]]) -> str:
    borders = "".join(f'<w:{side} w:val="single" w:sz="4"/>' for side in ("top", "left", "bottom", "right", "insideH", "insideV"))
    cells = lambda row, bold: "".join(f"<w:tc><w:p>{run(cell, bold)}</w:p></w:tc>" for cell in row)
    body = "".join(f"<w:tr>{cells(row, number == 0)}</w:tr>" for number, row in enumerate(rows))
    return f"<w:tbl><w:tblPr><w:tblBorders>{borders}</w:tblBorders></w:tblPr>{body}</w:tbl>"


def pack(path: str, parts: dict[str, str], kind: str | None = None) -> None:
    """Writes a package of XML parts; `kind` is the type that OpenDocument and EPUB put first, uncompressed."""
    with zipfile.ZipFile(LIBRARY / path, "w", zipfile.ZIP_DEFLATED) as package:
        if kind:
            package.writestr(zipfile.ZipInfo("mimetype", date_time=(2024, 1, 1, 0, 0, 0)), kind)
        for name, content in parts.items():
            entry = zipfile.ZipInfo(name, date_time=(2024, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' + content)


def docx(path: str, title: str, author: str, created: str, body: list[str], notes: list[str]) -> None:
    """Writes a Word document with the parts that every word processor wants."""
    style = lambda id, name, level, size: (
        f'<w:style w:type="paragraph" w:styleId="{id}"><w:name w:val="{name}"/><w:basedOn w:val="Normal"/>'
        f'<w:pPr><w:spacing w:before="240" w:after="80"/>{level}</w:pPr><w:rPr><w:b/><w:sz w:val="{size}"/></w:rPr></w:style>'
    )
    level = lambda number: f'<w:outlineLvl w:val="{number}"/>'
    styles = (
        f'<w:styles xmlns:w="{W}"><w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/>'
        '<w:pPr><w:spacing w:after="120"/></w:pPr><w:rPr><w:sz w:val="22"/></w:rPr></w:style>'
        + style("Title", "Title", "", 36) + style("Heading1", "heading 1", level(0), 28)
        + style("Heading2", "heading 2", level(1), 24) + "</w:styles>"
    )
    footnotes = "".join(
        f'<w:footnote w:id="{number}">{paragraph(text)}</w:footnote>' for number, text in enumerate(notes, start=1)
    )
    types = {
        "word/document.xml": "document.main", "word/styles.xml": "styles", "word/footnotes.xml": "footnotes",
    }
    overrides = "".join(
        f'<Override PartName="/{part}" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.{kind}+xml"/>'
        for part, kind in types.items()
    )
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}<Override PartName="/docProps/core.xml" '
        'ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1" Type="{OFFICE}/officeDocument" '
        'Target="word/document.xml"/><Relationship Id="r2" Type="http://schemas.openxmlformats.org/package/2006/'
        'relationships/metadata/core-properties" Target="docProps/core.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1" Type="{OFFICE}/styles" '
        f'Target="styles.xml"/><Relationship Id="r2" Type="{OFFICE}/footnotes" Target="footnotes.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{W}"><w:body>{"".join(body)}<w:sectPr/></w:body></w:document>',
        "word/styles.xml": styles,
        "word/footnotes.xml": f'<w:footnotes xmlns:w="{W}">{footnotes}</w:footnotes>',
        "docProps/core.xml": '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/'
        'core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><dc:title>{escape(title)}</dc:title><dc:creator>{escape(author)}'
        f'</dc:creator><dcterms:created xsi:type="dcterms:W3CDTF">{created}</dcterms:created></cp:coreProperties>',
    }
    pack(path, parts)


def lease() -> None:
    docx(
        "house/lease-mill-lane-7.docx", "Lease of the house at Mill Lane 7", "Thornbury Estates", "2016-05-02T09:30:00Z",
        [
            paragraph("Lease", "Title"),
            paragraph("between Thornbury Estates, landlord, and Rowan and Ines Ashdown, tenants, of the house at Mill Lane 7 with its "
                      "workshop, cellar and garden."),
            paragraph("Term and notice", "Heading1"),
            paragraph("The lease begins on 1 June 2016 and runs without end."),
            paragraph("Notice period", "Heading2"),
            paragraph("The tenants may end it with three months' notice to the end of any month. For the landlord the period is six "
                      "months, and after eight years nine.", note=1),
            paragraph("Rent", "Heading1"),
            paragraph("The rent is due on the third working day of each month. It may be raised once in three years, by no more than "
                      "the index of consumer prices, and in writing."),
            table([
                ["From", "Rent", "Advance for costs"],
                ["1 June 2016", "1,040", "110"],
                ["1 June 2019", "1,085", "125"],
                ["1 June 2022", "1,150", "160"],
            ]),
            paragraph("Costs", "Heading1"),
            paragraph("The landlord pays for the roof, the chimney sweep, property tax and the insurance of the building. The tenants pay "
                      "for water, electricity, refuse and the yearly service of the heat pump."),
            paragraph("Use", "Heading1"),
            paragraph("Machines may run in the workshop from eight in the morning until seven in the evening, not on Sundays."),
            paragraph("Animals", "Heading2"),
            paragraph("One cat is agreed. Further animals, hens included, need the landlord's consent, which he may refuse only for a reason."),
            paragraph("Alterations", "Heading2"),
            paragraph("The tenants may plant trees and build shelves. Walls stay where they are. The shed by the brook may be renewed at the "
                      "landlord's cost once the estimate of 2,300 has been approved."),
            paragraph("Handing back", "Heading1"),
            paragraph("Swept, walls white or nearly so, all seven keys. Fruit trees stay. The deposit of 3,120 is returned with interest within "
                      "six months."),
        ],
        ["Agreed orally on the day of signing: the eight years are counted from 1 June 2016."],
    )


def minutes() -> None:
    docx(
        "club/choir-minutes-2024-01.docx", "Minutes of the annual meeting", "Ines Ashdown", "2024-01-20T21:15:00Z",
        [
            paragraph("Minutes of the annual meeting", "Title"),
            paragraph("Village choir, 19 January 2024, in the upper room of the Plough. Present: 23 members. In the chair: Mr Oduya. "
                      "Minutes: Ines Ashdown."),
            paragraph("1. Report of the treasurer", "Heading1"),
            paragraph("Income 4,812.50, expenses 4,377.20. The largest item is the tuning of the piano, 390. The auditors found one receipt "
                      "too many and none too few. The treasurer was discharged with one abstention, her own."),
            paragraph("2. Programme of the year", "Heading1"),
            paragraph("The summer concert is on 15 June in the barn at Tollgate Farm, with the madrigals that fell victim to the flu last year. "
                      "Rehearsals move to Wednesdays, half past seven, from 6 March."),
            paragraph("Christmas", "Heading2"),
            paragraph("The majority (14 to 9) wants carols again instead of the oratorio. The basses ask for something in which they have a tune."),
            paragraph("3. Elections", "Heading1"),
            table([
                ["Office", "Elected", "Votes"],
                ["Chair", "Mr Oduya", "22"],
                ["Treasurer", "Mrs Lindqvist", "23"],
                ["Librarian", "Tom Ferrier", "19"],
            ]),
            paragraph("4. Any other business", "Heading1"),
            paragraph("The music cupboard is locked again. Its key hangs behind the clock; whoever takes scores home writes it in the green "
                      "book. Eleven copies of the Fauré are still missing."),
        ],
        ["Corrected on 2 February: Tom Ferrier had 20 votes."],
    )


if __name__ == "__main__":
    pdf("heat-pump-manual", "house")
    pdf("household-insurance", "house")
    lease()
    minutes()
    opendocument.build(pack)
    office.build(pack)
    books.build(pack)
    mail.build(LIBRARY)
