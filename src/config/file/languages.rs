//! Languages that can be told apart and named in `index.language`.

/// ISO 639-1 and ISO 639-3 codes, space between languages.
const CODES: &str = "af:afr ar:ara az:aze be:bel bg:bul bn:ben ca:cat cs:ces cy:cym da:dan de:deu el:ell en:eng \
    eo:epo es:spa et:est fa:pes fi:fin fr:fra he:heb hi:hin hr:hrv hu:hun hy:hye id:ind it:ita ja:jpn ka:kat ko:kor \
    la:lat lt:lit lv:lav mk:mkd nb:nob nl:nld pl:pol pt:por ro:ron ru:rus sk:slk sl:slv sr:srp sv:swe ta:tam th:tha \
    tr:tur uk:ukr vi:vie yi:yid zh:cmn";

/// The ISO 639-3 code of a language given by either code.
pub(super) fn iso_639_3(code: &str) -> Option<&'static str> {
    let pairs = CODES.split(' ').filter_map(|pair| pair.split_once(':'));
    pairs.into_iter().find(|(two, three)| code == *two || code == *three).map(|(_, three)| three)
}
