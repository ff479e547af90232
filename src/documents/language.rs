//! The language of a text, where there is enough of it to tell.

use whatlang::{Detector, Lang};

/// Fewer letters than these tell too little, in bytes.
const ENOUGH_BYTES: usize = 120;
/// More text than this tells nothing new, in bytes: two pages. To look at four times as many was a tenth of the time of indexing.
const SAMPLE_BYTES: usize = 4 << 10;

/// The language of a text as ISO 639-3, out of those allowed (none named: all known).
pub(super) fn detect(text: &str, allowed: &[String]) -> Option<String> {
    if text.len() < ENOUGH_BYTES {
        return None;
    }
    // From the middle: the beginning of a document is addresses, contents and legal notices.
    let start = text.floor_char_boundary((text.len() / 2).saturating_sub(SAMPLE_BYTES / 2));
    let end = text.floor_char_boundary((start + SAMPLE_BYTES).min(text.len()));
    let allowed: Vec<Lang> = allowed.iter().filter_map(Lang::from_code).collect();
    let detector = if allowed.is_empty() { Detector::new() } else { Detector::with_allowlist(allowed) };
    let info = detector.detect(&text[start..end])?;
    info.is_reliable().then(|| info.lang().code().to_owned())
}

/// ISO 639-3 for a language tag as `de-AT`, for the languages whose detection can do without it.
pub(super) fn iso_639_3(tag: &str) -> Option<String> {
    const CODES: [(&str, &str); 24] = [
        ("en", "eng"),
        ("de", "deu"),
        ("fr", "fra"),
        ("es", "spa"),
        ("it", "ita"),
        ("pt", "por"),
        ("nl", "nld"),
        ("sv", "swe"),
        ("da", "dan"),
        ("fi", "fin"),
        ("nb", "nob"),
        ("pl", "pol"),
        ("cs", "ces"),
        ("hu", "hun"),
        ("ro", "ron"),
        ("ru", "rus"),
        ("uk", "ukr"),
        ("el", "ell"),
        ("tr", "tur"),
        ("ar", "ara"),
        ("he", "heb"),
        ("ja", "jpn"),
        ("zh", "cmn"),
        ("ko", "kor"),
    ];
    let primary = tag.split(['-', '_']).next()?.to_ascii_lowercase();
    CODES.iter().find(|(short, _)| *short == primary).map(|(_, long)| long.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_named_when_it_is_clear() {
        let german = "Die Wärmepumpe wird einmal im Jahr gewartet. Dabei werden der Druck im Heizkreis geprüft und die \
                      Siebe gereinigt; das Protokoll gehört in den Ordner im Keller.";
        let japanese = "味噌汁の作り方。まず昆布と鰹節で出汁を取ります。豆腐を切り、わかめを水で戻しておきます。鍋に出汁を入れて温めます。";
        assert_eq!(detect(german, &[]).as_deref(), Some("deu"));
        assert_eq!(detect(japanese, &[]).as_deref(), Some("jpn"));
        assert_eq!(detect("too short", &[]), None);
        assert_eq!(detect(&"0123456789 ".repeat(50), &[]), None);
    }
}
