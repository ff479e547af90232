//! What a group of RTF holds (RTF 1.9.1, "Destinations").

/// Where text goes that stands in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Destination {
    #[default]
    Body,
    /// A note, a comment, a header or a footer: a text of its own beside the body.
    Aside,
    FontTable,
    StyleSheet,
    Title,
    Author,
    Created,
    Skipped,
}

/// The destination that a control word opens, if it opens any. Behind `\*` stand those that an older reader does not know.
pub(super) fn opened_by(word: &str, starred: bool) -> Option<Destination> {
    Some(match word {
        "fonttbl" => Destination::FontTable,
        "stylesheet" => Destination::StyleSheet,
        "title" => Destination::Title,
        "author" => Destination::Author,
        "creatim" => Destination::Created,
        "footnote" | "annotation" | "header" | "headerl" | "headerr" | "headerf" | "footer" | "footerl" | "footerr"
        | "footerf" => Destination::Aside,
        // The text of a drawn shape, of an embedded object, of a field as it was last shown.
        "shpinst" | "shptxt" | "result" | "fldrslt" | "upr" => Destination::Body,
        "colortbl" | "info" | "pict" | "object" | "fldinst" | "datafield" | "listtext" | "pntext" | "sn" | "sv"
        | "nonshppict" | "shprslt" | "background" | "xe" | "tc" | "rxe" | "filetbl" | "listtable"
        | "listoverridetable" | "revtbl" | "rsidtbl" | "generator" | "themedata" | "colorschememapping"
        | "datastore" | "latentstyles" | "atnid" | "atnauthor" | "private" => Destination::Skipped,
        _ if starred => Destination::Skipped,
        _ => return None,
    })
}
