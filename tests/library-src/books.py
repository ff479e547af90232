"""The EPUB of tests/library: a small book in three files, its contents in EPUB 3's form and in EPUB 2's."""

XHTML = 'xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"'


def page(title: str, body: str) -> str:
    return f"<html {XHTML}><head><title>{title}</title></head><body>{body}</body></html>"


CHAPTERS = {
    "cellar": ("The cellar", """<h1>The cellar</h1><p>A cellar for keeping is dark, damp and never below three degrees. Ours was dug in 1911 by
        my grandfather, who measured nothing and was right about everything.</p><h2>Apples</h2><p>Late sorts only, unwashed, stalks on, no
        apple touching its neighbour. Bramleys last until <em>March</em>, russets until somebody finds them.</p>"""),
    "smoke": ("Smoke", """<h1>Smoke</h1><p>Beech for bacon, apple wood for trout, and never anything that was painted.</p>
        <section id="trout"><h2>Trout</h2><p>Brine for six hours, eighty grams of salt to the litre. Hang them until the skin is dry to the
        finger: wet fish takes no smoke, only soot.</p></section>"""),
    "jars": ("Jars", """<h1>Jars</h1><p>My aunt turned every jar upside down for five minutes and believed in it. The rings matter more: a
        hardened ring lets the cellar in.</p>"""),
}


def build(pack) -> None:
    manifest = "".join(f'<item id="{name}" href="text/{name}.xhtml" media-type="application/xhtml+xml"/>' for name in CHAPTERS)
    spine = "".join(f'<itemref idref="{name}"/>' for name in CHAPTERS)
    trout = '<ol><li><a href="text/smoke.xhtml#trout">Trout over apple wood</a></li></ol>'
    links = "".join(f'<li><a href="text/{name}.xhtml">{title}</a>{trout if name == "smoke" else ""}</li>' for name, (title, _) in CHAPTERS.items())
    points = "".join(
        f'<navPoint id="{name}"><navLabel><text>{title}</text></navLabel><content src="text/{name}.xhtml"/></navPoint>'
        for name, (title, _) in CHAPTERS.items()
    )
    pack("kitchen/keeping-food.epub", {
        "META-INF/container.xml": '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile '
        'full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
        "OEBPS/content.opf": '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id"><metadata '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">urn:adit:keeping-food</dc:identifier><dc:title>Keeping food '
        "without a fridge</dc:title><dc:creator>Hester Lowe</dc:creator><dc:language>en-GB</dc:language><dc:date>1987-09-01</dc:date></metadata>"
        '<manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/><item id="ncx" href="toc.ncx" '
        f'media-type="application/x-dtbncx+xml"/>{manifest}</manifest><spine toc="ncx">{spine}</spine></package>',
        "OEBPS/nav.xhtml": page("Contents", f'<nav epub:type="toc"><h1>Contents</h1><ol>{links}</ol></nav>'),
        "OEBPS/toc.ncx": f'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" version="2005-1"><navMap>{points}</navMap></ncx>',
        **{f"OEBPS/text/{name}.xhtml": page(title, body) for name, (title, body) in CHAPTERS.items()},
    }, "application/epub+zip")
