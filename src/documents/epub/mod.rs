//! EPUB (2 and 3): the pages of a book in the order of its spine; its contents name the chapters.

mod contents;

use std::collections::{HashMap, HashSet};

use quick_xml::events::Event;

use self::contents::{Entry, read_contents};
use super::Extracted;
use super::compose::Composer;
use super::extract::{ExtractLimits, Refusal, parse_date};
use super::html::{Chapters, decode_page, read};
use super::language::iso_639_3;
use super::package::{Package, attribute, join, resolve};
use crate::limits::{BOOK_FILES, UNPACKED_BYTES};

pub(super) fn extract(bytes: &[u8], limits: &ExtractLimits) -> Result<Extracted, Refusal> {
    let mut package = Package::open(bytes)?;
    let book = Book::read(&mut package)?;
    if is_encrypted(&mut package, &book.spine)? {
        return Err(Refusal::Encrypted);
    }
    let mut entries: HashMap<String, Vec<Entry>> = HashMap::new();
    for entry in read_contents(&mut package, book.navigation.as_deref(), book.ncx.as_deref())? {
        entries.entry(entry.file.clone()).or_default().push(entry);
    }
    let mut composer = Composer::new(limits.max_text);
    let mut level = 0;
    for file in &book.spine {
        if composer.is_full() {
            break;
        }
        if let Some(page) = package.bytes(file, UNPACKED_BYTES)? {
            level = write(&decode_page(&page), entries.remove(file).unwrap_or_default(), level, &mut composer);
        }
    }
    let metadata = composer.metadata();
    (metadata.title, metadata.author) = (book.title, book.author);
    (metadata.created, metadata.language) = (book.created, book.language);
    composer.title_from_outline();
    Ok(composer.finish())
}

/// Writes one file of a book, which stands in a chapter of this level unless one begins in it; says the level in which it ends.
fn write(source: &str, entries: Vec<Entry>, level: u8, composer: &mut Composer) -> u8 {
    let mut chapters = Chapters { level, ..Chapters::default() };
    let mut last = level;
    composer.break_paragraph();
    let start = composer.begin();
    for entry in entries {
        last = entry.level;
        match entry.fragment {
            // Several chapters at one id: the first has it, the others are in the outline alone.
            Some(id) if !chapters.by_id.contains_key(&id) && has_id(source, &id) => {
                chapters.by_id.insert(id, (entry.level, entry.title));
            }
            Some(_) => composer.mark_outline(entry.level, &entry.title, None, start),
            None => {
                composer.chapter(entry.level, &entry.title);
                (chapters.level, chapters.title) = (entry.level, entry.title);
            }
        }
    }
    read(source, composer, chapters);
    composer.break_paragraph();
    last
}

fn has_id(source: &str, id: &str) -> bool {
    ["\"", "'"].iter().any(|quote| source.contains(&format!("{quote}{id}{quote}")))
}

/// What a book's package document says (EPUB 3.3, §5).
#[derive(Debug, Default)]
struct Book {
    title: Option<String>,
    author: Option<String>,
    created: Option<jiff::Timestamp>,
    language: Option<String>,
    /// Files in the order in which they are read, each once.
    spine: Vec<String>,
    /// Where its contents stand, as EPUB 3 and as EPUB 2 have them.
    navigation: Option<String>,
    ncx: Option<String>,
}

impl Book {
    fn read(package: &mut Package<'_>) -> Result<Book, Refusal> {
        let file = package_file(package)?;
        let mut book = Book::default();
        let mut files: HashMap<String, String> = HashMap::new();
        let (mut order, mut ncx, mut text) = (Vec::new(), None, String::new());
        let found = package.read(&file, |events| {
            events.each(|event| match event {
                Event::Start(tag) | Event::Empty(tag) => {
                    text.clear();
                    match tag.local_name().as_ref() {
                        "item" if files.len() < BOOK_FILES => {
                            let (Some(id), Some(path)) = (attribute(tag, "id"), attribute(tag, "href")) else { return };
                            let path = join(&file, &unescape(&path));
                            let is_navigation = attribute(tag, "properties").is_some_and(|properties| {
                                properties.split_whitespace().any(|property| property == "nav")
                            });
                            match attribute(tag, "media-type").unwrap_or_default().as_str() {
                                "application/x-dtbncx+xml" => book.ncx = Some(path.clone()),
                                _ if is_navigation => book.navigation = Some(path.clone()),
                                _ => {}
                            }
                            files.insert(id, path);
                        }
                        "itemref" if order.len() < BOOK_FILES => order.extend(attribute(tag, "idref")),
                        "spine" => ncx = attribute(tag, "toc"),
                        _ => {}
                    }
                }
                Event::Text(piece) => text.push_str(piece),
                Event::GeneralRef(reference) => text.extend(resolve(reference)),
                Event::End(tag) => book.take(tag.name().as_ref(), std::mem::take(&mut text)),
                _ => {}
            })
        });
        match found {
            Ok(None) => return Err(Refusal::Damaged(format!("it has no {file}"))),
            Err(error) if order.is_empty() => return Err(error),
            _ => {}
        }
        book.ncx = ncx.and_then(|id| files.get(&id).cloned()).or(book.ncx);
        let mut seen = HashSet::new();
        // Contents that stand in the spine say nothing that the chapters do not.
        let files = order.iter().filter_map(|id| files.get(id)).filter(|file| Some(*file) != book.navigation.as_ref());
        book.spine = files.filter(|file| seen.insert(file.as_str())).cloned().collect();
        Ok(book)
    }

    fn take(&mut self, name: &str, text: String) {
        if text.trim().is_empty() {
            return;
        }
        match name {
            "dc:title" => self.title = self.title.take().or(Some(text)),
            "dc:creator" => self.author = self.author.take().or(Some(text)),
            "dc:date" => self.created = self.created.or_else(|| parse_date(&text)),
            "dc:language" => self.language = self.language.take().or_else(|| iso_639_3(text.trim())),
            _ => {}
        }
    }
}

/// Where the package document stands, as the container says; else the first that is named like one.
fn package_file(package: &mut Package<'_>) -> Result<String, Refusal> {
    let mut path = None;
    package.read_if_sound("META-INF/container.xml", |events| {
        events.each(|event| {
            if let Event::Start(tag) | Event::Empty(tag) = event
                && tag.local_name().as_ref() == "rootfile"
            {
                path = path.take().or_else(|| attribute(tag, "full-path"));
            }
        })
    })?;
    path.or_else(|| package.names().into_iter().find(|name| name.ends_with(".opf")))
        .ok_or_else(|| Refusal::Damaged("it has no package document".into()))
}

/// Whether what is to be read is under protection; fonts alone may be, and hinder nobody.
fn is_encrypted(package: &mut Package<'_>, spine: &[String]) -> Result<bool, Refusal> {
    let mut encrypted = false;
    package.read_if_sound("META-INF/encryption.xml", |events| {
        events.each(|event| {
            if let Event::Start(tag) | Event::Empty(tag) = event
                && tag.local_name().as_ref() == "CipherReference"
                && let Some(file) = attribute(tag, "URI")
            {
                encrypted |= spine.contains(&join("", &unescape(&file)));
            }
        })
    })?;
    Ok(encrypted)
}

/// A path without its percent signs.
fn unescape(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.filter(|_| *first == b'%').and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::package::tests::package;

    const CONTAINER: (&str, &str) = (
        "META-INF/container.xml",
        r#"<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>"#,
    );
    const OPF: (&str, &str) = (
        "OPS/book.opf",
        r#"<package xmlns:dc="dc"><metadata><dc:title>Bees &amp; hives</dc:title><dc:creator>Ada</dc:creator>
        <dc:date>2019-03-01</dc:date><dc:language>en-GB</dc:language></metadata><manifest>
        <item id="b" href="two%20b.xhtml" media-type="application/xhtml+xml"/>
        <item id="a" href="one.xhtml" media-type="application/xhtml+xml"/>
        <item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
        <item id="x" href="toc.ncx" media-type="application/x-dtbncx+xml"/></manifest>
        <spine toc="x"><itemref idref="a"/><itemref idref="b"/><itemref idref="a"/><itemref idref="n"/><itemref idref="none"/></spine></package>"#,
    );
    const NAV: (&str, &str) = (
        "OPS/nav.xhtml",
        r#"<html xmlns:epub="e"><body><nav epub:type="toc"><h1>Contents</h1><ol><li><a href="one.xhtml">The hive</a><ol>
        <li><a href="one.xhtml#q">The <i>queen</i></a></li></ol></li><li><a href="two%20b.xhtml">Honey</a></li>
        <li><a href="two%20b.xhtml#gone">Wax</a></li></ol></nav><nav epub:type="landmarks"><ol><li><a href="x">no</a></li></ol>
        </nav></body></html>"#,
    );
    const ONE: (&str, &str) = (
        "OPS/one.xhtml",
        r#"<?xml version="1.0"?><html><head><title>no</title></head><body><h1>The hive</h1><p>wood&nbsp;frames</p><h2>Size</h2>
        <p>ten</p><p id="q">She lays.</p></body></html>"#,
    );
    const TWO: (&str, &str) = ("OPS/two b.xhtml", "<html><body><h2>In May</h2><p>acacia</p></body></html>");

    fn read(parts: &[(&str, &str)]) -> Result<Extracted, Refusal> {
        extract(&package(parts), &ExtractLimits::default())
    }

    #[test]
    fn chapters_are_named_by_the_contents_and_read_in_order() {
        let book = read(&[CONTAINER, OPF, NAV, ONE, TWO]).unwrap();
        assert_eq!(book.text, "The hive\n\nwood\u{a0}frames\n\nSize\n\nten\n\nShe lays.\n\nIn May\n\nacacia");
        assert_eq!((book.title.as_deref(), book.author.as_deref()), (Some("Bees & hives"), Some("Ada")));
        assert_eq!(book.language.as_deref(), Some("eng"));
        let outline: Vec<_> = book.outline.iter().map(|entry| (entry.level, entry.title.as_str())).collect();
        assert_eq!(outline, [(1, "The hive"), (3, "Size"), (2, "The queen"), (1, "Honey"), (1, "Wax"), (3, "In May")]);
        let headings: Vec<_> = book.passages.iter().map(|p| p.place.heading.as_deref().unwrap()).collect();
        assert_eq!(headings, ["The hive", "Size", "The queen", "In May"]);
    }

    #[test]
    fn an_older_book_has_its_contents_in_another_form() {
        let opf = (OPF.0, &*OPF.1.replace(" properties=\"nav\"", ""));
        let ncx = r#"<ncx><navMap><navPoint><navLabel><text>Part one</text></navLabel><content src="one.xhtml"/><navPoint>
            <navLabel><text>Queens</text></navLabel><content src="one.xhtml#q"/></navPoint></navPoint></navMap></ncx>"#;
        let book = read(&[CONTAINER, opf, ("OPS/toc.ncx", ncx), ONE, TWO]).unwrap();
        let outline: Vec<_> = book.outline.iter().map(|entry| (entry.level, entry.title.as_str())).collect();
        assert_eq!(outline, [(1, "Part one"), (2, "The hive"), (3, "Size"), (2, "Queens"), (4, "In May")]);
    }

    #[test]
    fn a_protected_book_is_said_to_be_one() {
        let cipher = |file| format!("<e><EncryptedData><CipherReference URI=\"{file}\"/></EncryptedData></e>");
        let protected = ("META-INF/encryption.xml", &*cipher("OPS/one.xhtml"));
        assert_eq!(read(&[CONTAINER, OPF, protected, ONE]), Err(Refusal::Encrypted));
        let font = ("META-INF/encryption.xml", &*cipher("OPS/font.otf"));
        assert!(read(&[CONTAINER, OPF, font, ONE]).is_ok());
        assert!(matches!(read(&[CONTAINER]), Err(Refusal::Damaged(_))));
    }
}
