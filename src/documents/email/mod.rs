//! E-mail: one message (RFC 5322, MIME) or a mailbox (RFC 4155) in; header, body and attachments out, the attachments read as the
//! documents they are. In a mailbox a message is a part by number; an attachment is named by the place of what stands in it.

mod attachment;
mod mbox;

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;
use mail_parser::{Address, Encoding, Message, MessageParser, MessagePart, PartType};

use self::attachment::{Budget, write_attachments};
use super::Extracted;
use super::compose::Composer;
use super::encoding::decode;
use super::extract::{ExtractLimits, Refusal};
use super::html::{self, Chapters};
use crate::limits::MAIL_ADDRESSES;

/// One message. `depth` counts the documents that it is attached to.
pub(super) fn extract(bytes: &[u8], limits: &ExtractLimits, depth: usize) -> Result<Extracted, Refusal> {
    let mut composer = Composer::new(limits.max_text);
    if let Some(message) = parse(&MessageParser::default(), bytes) {
        let metadata = composer.metadata();
        metadata.title = message.subject().map(str::to_owned);
        metadata.author = message.from().and_then(|from| addresses(from).into_iter().next());
        metadata.created = sent(&message);
        write_message(&message, 1, depth, limits, &mut Budget::new(), &mut composer);
    } else {
        composer.push(&decode(bytes, None));
    }
    Ok(composer.finish())
}

/// Messages one after the other.
pub(super) fn extract_mailbox(bytes: &[u8], limits: &ExtractLimits, depth: usize) -> Result<Extracted, Refusal> {
    let parser = MessageParser::default();
    let mut composer = Composer::new(limits.max_text);
    let mut budget = Budget::new();
    let mut count = 0;
    for (number, bytes) in (1..).zip(mbox::messages(bytes)) {
        count = number;
        if composer.is_full() {
            continue;
        }
        composer.part(number);
        match parse(&parser, bytes) {
            Some(message) => write_message(&message, 1, depth, limits, &mut budget, &mut composer),
            None => composer.push(&decode(bytes, None)),
        }
    }
    composer.metadata().pages = Some(count);
    Ok(composer.finish())
}

/// The letter, if it is one. A parser that gives up on it must not cost its mailbox.
fn parse<'a>(parser: &MessageParser, bytes: &'a [u8]) -> Option<Message<'a>> {
    catch_unwind(AssertUnwindSafe(|| parser.parse(bytes))).ok().flatten().filter(is_letter)
}

/// Whether it has any field that letters have: other text would lose its first paragraph as a header.
fn is_letter(message: &Message<'_>) -> bool {
    use mail_parser::HeaderName::*;

    let fields = [From, To, Subject, Date, MessageId, Received, ReturnPath, ContentType, MimeVersion];
    fields.into_iter().any(|field| message.header(field).is_some())
}

/// A message whose subject is a heading of this level, with what is attached to it.
fn write_message(
    message: &Message<'_>,
    level: u8,
    depth: usize,
    limits: &ExtractLimits,
    budget: &mut Budget,
    composer: &mut Composer,
) {
    composer.heading(level, message.subject().unwrap_or_default());
    write_header(message, composer);
    write_body(message, composer);
    write_attachments(message, level.saturating_add(1), depth, limits, budget, composer);
}

/// Who, to whom and when, as lines: a person looks for all of them.
fn write_header(message: &Message<'_>, composer: &mut Composer) {
    composer.break_paragraph();
    for (name, value) in [("From", message.from()), ("To", message.to()), ("Cc", message.cc())] {
        let addresses = value.map(addresses).unwrap_or_default();
        if !addresses.is_empty() {
            composer.push(&format!("{name}: {}", addresses.join(", ")));
            composer.break_line();
        }
    }
    if let Some(date) = message.date() {
        composer.push(&format!(
            "Date: {:04}-{:02}-{:02} {:02}:{:02}",
            date.year, date.month, date.day, date.hour, date.minute
        ));
    }
    composer.break_paragraph();
}

fn addresses(all: &Address<'_>) -> Vec<String> {
    let shown = |name: Option<&str>, address: Option<&str>| match (name, address) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => String::new(),
    };
    let all = all.iter().map(|one| shown(one.name.as_deref(), one.address.as_deref()));
    all.filter(|one| !one.trim().is_empty()).take(MAIL_ADDRESSES).collect()
}

fn sent(message: &Message<'_>) -> Option<Timestamp> {
    message.date().filter(|date| date.is_valid()).and_then(|date| Timestamp::from_second(date.to_timestamp()).ok())
}

/// The body as plain text, where somebody wrote one; else what a reader of its HTML would read.
fn write_body(message: &Message<'_>, composer: &mut Composer) {
    let parts = |ids: &[u32]| ids.iter().filter_map(|id| message.part(*id)).collect::<Vec<_>>();
    let plain = parts(&message.text_body);
    let is_text = |part: &&MessagePart<'_>| part.text_contents().is_some_and(|text| !text.trim().is_empty());
    let chosen = if plain.iter().any(is_text) { plain } else { parts(&message.html_body) };
    for part in chosen {
        composer.break_paragraph();
        match &part.body {
            PartType::Text(text) => composer.push(plain_text(message, part, text).trim()),
            PartType::Html(source) => drop(html::read(source, composer, Chapters { level: 1, ..Chapters::default() })),
            _ => {}
        }
        composer.break_paragraph();
    }
}

/// The text of a part; where it has bytes that are not what was declared, by what they look like.
fn plain_text<'a>(message: &Message<'_>, part: &MessagePart<'_>, text: &'a str) -> Cow<'a, str> {
    let raw = message.raw_message.get(part.offset_body as usize..part.offset_end as usize);
    match raw.filter(|_| part.encoding == Encoding::None && text.contains('\u{fffd}')) {
        Some(raw) => decode(raw, None).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Extracted {
        extract(source.as_bytes(), &ExtractLimits::default(), 0).unwrap()
    }

    const LETTER: &str = "From: =?utf-8?Q?Bj=C3=B6rn?= Ek <bjorn@example.org>\r\nTo: Ada <ada@example.org>, \"All: of us\" <all@example.org>\r\n\
        Date: Tue, 2 Apr 2024 08:30:00 +0200\r\nSubject: Honey\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n\
        --m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\nDrei Gl=E4ser\r\n--a\r\nContent-Type: text/html\r\n\r\n<p>no</p>\r\n--a--\r\n\
        --m\r\nContent-Type: text/markdown; name=\"hives.md\"\r\nContent-Disposition: attachment; filename=\"hives.md\"\r\n\r\n\
        # Hives\n\none\n\n## South\n\ntwo\r\n--m\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=bee.png\r\n\
        Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--m\r\nContent-Type: message/rfc822\r\n\r\n\
        Subject: Older\r\nFrom: Cy <cy@example.org>\r\n\r\nan older letter\r\n--m--\r\n";

    #[test]
    fn a_message_is_read_with_its_attachments() {
        let letter = read(LETTER);
        assert_eq!(
            letter.text,
            "Honey\n\nFrom: Björn Ek <bjorn@example.org>\nTo: Ada <ada@example.org>, All: of us <all@example.org>\n\
             Date: 2024-04-02 08:30\n\nDrei Gläser\n\nAttachment: hives.md\n\n# Hives\n\none\n\n## South\n\ntwo\n\n\
             Attachment: bee.png\n\nOlder\n\nFrom: Cy <cy@example.org>\n\nan older letter"
        );
        assert_eq!(letter.title.as_deref(), Some("Honey"));
        assert_eq!(letter.author.as_deref(), Some("Björn Ek <bjorn@example.org>"));
        assert_eq!(letter.created.unwrap().to_string(), "2024-04-02T06:30:00Z");
        let outline: Vec<_> = letter.outline.iter().map(|entry| (entry.level, entry.title.as_str())).collect();
        assert_eq!(outline, [(1, "Honey"), (2, "hives.md"), (3, "Hives"), (4, "South"), (2, "Older")]);
        let heading = |words: &str| {
            let at = letter.text.find(words).unwrap();
            letter.passages.iter().find(|p| p.start <= at && at < p.end).unwrap().place.heading.clone().unwrap()
        };
        assert_eq!(heading("Gläser"), "Honey");
        assert_eq!(heading("two"), "hives.md › South");
        assert_eq!(heading("an older"), "Older");
    }

    #[test]
    fn a_body_in_html_alone_is_read_as_a_page() {
        let letter = read(
            "Subject: Hi\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<style>x</style><p>One</p><p>Two &amp; three</p>",
        );
        assert_eq!(letter.text, "Hi\n\nOne\n\nTwo & three");
    }

    #[test]
    fn a_body_in_an_encoding_that_nobody_declared_is_guessed() {
        let letter =
            [b"Subject: x\n\nDie Gr\xf6\xdfe der W\xe4rmepumpe, \xfcber die wir gesprochen haben.".as_slice()].concat();
        let letter = extract(&letter, &ExtractLimits::default(), 0).unwrap();
        assert!(letter.text.contains("Größe der Wärmepumpe, über"), "{}", letter.text);
    }

    #[test]
    fn messages_of_a_mailbox_are_parts_by_number() {
        let mailbox = format!(
            "From a@b Tue Apr  2 08:30:00 2024\n{LETTER}\n\nFrom c@d Wed Apr  3 2024\nSubject: Wax\n\ncandles\n"
        );
        let mailbox = extract_mailbox(mailbox.as_bytes(), &ExtractLimits::default(), 0).unwrap();
        assert_eq!(mailbox.pages, Some(2));
        let last = mailbox.passages.last().unwrap();
        assert_eq!((last.place.page, last.place.heading.as_deref()), (Some(2), Some("Wax")));
        assert_eq!(&mailbox.text[last.start..last.end], "Wax\n\ncandles");
    }

    #[test]
    fn what_is_no_letter_is_read_as_text() {
        assert_eq!(read("Dear all:\n\nwords\n").text, "Dear all:\n\nwords\n");
        assert_eq!(read("").text, "");
    }

    #[test]
    fn messages_in_messages_end() {
        let mut letter = String::new();
        for n in 0..50 {
            letter += &format!("Subject: level {n}\nContent-Type: message/rfc822\n\n");
        }
        let letter = read(&(letter + "Subject: last\n\nwords"));
        assert!(letter.text.contains("level 10") && letter.text.contains("not read"), "{}", letter.text);
    }
}
