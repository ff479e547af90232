//! RTF (1.9.1): paragraphs, headings by their styles, tables, notes; the encoding changes with every font.

mod charset;
mod destination;
mod reading;
mod tokens;

use self::reading::Reading;
use self::tokens::{Token, Tokens};
use super::Extracted;
use super::compose::Composer;
use super::extract::{ExtractLimits, Refusal};

pub(super) fn extract(bytes: &[u8], limits: &ExtractLimits) -> Result<Extracted, Refusal> {
    if !bytes.starts_with(b"{\\rtf") {
        return Err(Refusal::Damaged("there is no RTF header".into()));
    }
    let mut reading = Reading::new(Composer::new(limits.max_text));
    let mut tokens = Tokens::new(bytes);
    while let Some(token) = tokens.next() {
        match token {
            Token::Word("bin", Some(length)) => {
                tokens.pass_over(usize::try_from(length).unwrap_or(0));
            }
            token => reading.take(token),
        }
        if reading.is_full() {
            break;
        }
    }
    Ok(reading.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Extracted {
        extract(source.as_bytes(), &ExtractLimits::default()).unwrap()
    }

    #[test]
    fn a_letter_is_read_with_its_structure() {
        let letter = read(
            r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\froman\fcharset0 Times;}{\f1\fcharset204 Arial Cyr;}}{\colortbl;\red0;}
{\stylesheet{\s0 Normal;}{\s1\sbasedon0 heading 1;}{\*\cs10 Default;}{\s7\outlinelevel1 Eigene;}{\s9 Title;}}
{\info{\title K\'fcche}{\author Ada}{\creatim\yr2024\mo4\dy2\hr8}{\operator no}}{\*\generator no;}
{\header\pard a header\par}\pard\plain\s9 The kitchen\par\pard\s1 Stove\par\pard\plain It is \b warm\b0  {\v hidden}
{\f1 \'cf\'f0\'e8\'e2\'e5\'f2}, \u8364? 5 \u-10179?\u-8704? {\footnote\pard a note\par and more}here.\par
{\field{\*\fldinst HYPERLINK no}{\fldrslt a link}}{\pict\pngblip 89504e47}\par\pard\s7 Deep\par
\pard{\listtext\'b7\tab}an item\par\trowd\pard\intbl Pan\cell two\par halves\cell\row\pard\intbl Pot\cell\cell\row\pard\par
{\shp{\*\shpinst{\sp{\sn fill}{\sv 3}}{\shptxt \pard in a box\par}}{\shprslt no}}the end}",
        );
        assert_eq!(
            letter.text,
            "The kitchen\n\na header\n\nStove\n\nIt is warm Привет, € 5 \u{1f600} here.\n\na note\nand more\n\na link\n\nDeep\n\n\
             - an item\nPan | two halves\nPot\n\nin a box\n\nthe end"
        );
        assert_eq!((letter.title.as_deref(), letter.author.as_deref()), (Some("Küche"), Some("Ada")));
        assert_eq!(letter.created.unwrap().to_string(), "2024-04-02T00:00:00Z");
        let outline: Vec<_> = letter.outline.iter().map(|entry| (entry.level, entry.title.as_str())).collect();
        assert_eq!(outline, [(1, "The kitchen"), (1, "Stove"), (2, "Deep")]);
    }

    #[test]
    fn characters_of_two_bytes_are_put_together() {
        let source = r"{\rtf1\ansi{\fonttbl{\f0\fcharset128 MS;}}\f0 \'93\'fa\'96\'7b\'8c\'ea}";
        assert_eq!(read(source).text, "日本語");
        assert_eq!(read(r"{\rtf1\ansi\uc2\u26085\'93\'fa\u26412\'96\'7b!}").text, "日本!");
    }

    #[test]
    fn groups_that_never_close_or_never_opened_harm_nothing() {
        assert_eq!(read(&format!("{{\\rtf1 a{} b", "{".repeat(1_000_000))).text, "a b");
        assert_eq!(read(&format!("{{\\rtf1 a{} b}}", "}".repeat(1_000_000))).text, "a b");
        assert_eq!(read(r"{\rtf1{\footnote unclosed {\title x").text, "unclosed x");
        assert_eq!(read(r"{\rtf1 a\bin5 {{{{{b\bin99999999999}").text, "ab");
        assert!(matches!(extract(b"{\\ru", &ExtractLimits::default()), Err(Refusal::Damaged(_))));
    }
}
