//! Words that say nothing about what is looked for. Only left out where they stand beside others, never in quotes or with a sign.

/// Function words of the larger languages, folded; sorted, to be searched.
const COMMON: &[&str] = &[
    "a", "about", "after", "al", "all", "als", "also", "am", "an", "and", "any", "are", "as", "at", "au", "auch",
    "auf", "aus", "aux", "be", "because", "been", "before", "being", "bei", "between", "but", "by", "can", "ce", "ces",
    "cette", "che", "ci", "come", "con", "could", "cual", "d", "da", "dans", "das", "de", "del", "della", "dem", "den",
    "der", "des", "di", "did", "die", "do", "does", "doing", "don", "done", "du", "durch", "e", "ein", "eine", "einen",
    "einer", "el", "elle", "en", "er", "es", "est", "et", "for", "from", "fur", "had", "has", "have", "having", "he",
    "her", "here", "his", "how", "i", "ich", "if", "il", "im", "in", "into", "is", "ist", "it", "its", "itself", "je",
    "l", "la", "las", "le", "les", "lo", "los", "ma", "may", "me", "mit", "my", "nach", "ne", "nicht", "nor", "not",
    "o", "of", "off", "on", "onto", "or", "os", "ou", "our", "par", "pas", "per", "por", "pour", "que", "qui", "s",
    "se", "shall", "she", "should", "si", "sich", "sie", "sind", "so", "some", "such", "sur", "t", "than", "that",
    "the", "their", "them", "then", "there", "these", "they", "this", "those", "to", "too", "um", "un", "una", "und",
    "une", "up", "upon", "us", "van", "very", "vom", "von", "was", "we", "were", "what", "when", "where", "whether",
    "which", "while", "who", "whom", "whose", "why", "wie", "will", "with", "within", "would", "y", "you", "your",
    "zu", "zum", "zur",
];

/// Whether a folded word is one of them.
pub(super) fn is_common(word: &str) -> bool {
    COMMON.binary_search(&word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(COMMON.is_sorted());
        assert!(is_common("the") && is_common("und") && !is_common("theorem") && !is_common(""));
    }
}
