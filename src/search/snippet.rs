//! A passage in, the lines around the best hit in it out, with what was hit marked.

use std::ops::Range;

use super::plan::{Leaf, Mark};
use super::text::{Kind, Piece, Sieve, Stems, Tongue, fold, folded, pieces};
use crate::documents::clean;

/// The lines around the best hit of a passage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Snippet {
    /// Text, without characters that act.
    pub(super) text: String,
    /// Byte ranges of what was hit, in order, without overlap.
    pub(super) highlights: Vec<(usize, usize)>,
    /// Line ends in the passage before the first hit.
    pub(super) lines_before: u32,
}

/// How much of a passage to show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Bytes at most.
    pub(super) bytes: usize,
    /// Lines around the hit; none: what the bytes allow.
    pub(super) lines: Option<usize>,
}

/// A hit: its place in the text and which leaf it is of.
type Hit = (Range<usize>, usize);

/// Makes the snippet of a passage.
pub(super) fn snippet(text: &str, tongue: Tongue, leaves: &[Leaf], room: Room) -> Snippet {
    let hits = hits(text, tongue, leaves);
    let best = best_window(&hits, room.bytes);
    let first = best.first().map_or(0, |(range, _)| range.start);
    let last = best.last().map_or(0, |(range, _)| range.end);
    let shown = match room.lines {
        Some(lines) => shrink(text, around(text, first..last, lines), first, room.bytes),
        None => widen(text, first..last, room.bytes),
    };
    let mut snippet = Snippet { lines_before: text[..first].matches('\n').count() as u32, ..Snippet::default() };
    if shown.start > 0 && !text[..shown.start].ends_with('\n') {
        snippet.text.push('…');
    }
    let mut at = shown.start;
    for (range, _) in hits.iter().filter(|(range, _)| range.start >= shown.start && range.end <= shown.end) {
        if range.start < at {
            continue;
        }
        snippet.text.push_str(&clean(&text[at..range.start]));
        let begin = snippet.text.len();
        snippet.text.push_str(&clean(&text[range.clone()]));
        snippet.highlights.push((begin, snippet.text.len()));
        at = range.end;
    }
    snippet.text.push_str(&clean(&text[at..shown.end]));
    if shown.end < text.len() && !text[shown.end..].starts_with('\n') {
        snippet.text.push('…');
    }
    snippet
}

/// Everything in a text that is of one of the leaves, in order.
fn hits(text: &str, tongue: Tongue, leaves: &[Leaf]) -> Vec<Hit> {
    let leaves: Vec<(usize, &Leaf)> = leaves.iter().enumerate().filter(|(_, leaf)| leaf.scores).collect();
    let words: Vec<Piece> = pieces(text).collect();
    let sieve = Sieve::new(tongue, leaves.iter().flat_map(|(_, leaf)| leaf.mark.begins()));
    let mut stems = Stems::new(tongue);
    let (mut stem, mut plain) = (String::new(), String::new());
    let mut hits = Vec::new();
    for (at, piece) in words.iter().enumerate() {
        let whole = piece.start..piece.end;
        let word = &text[whole.clone()];
        if piece.kind == Kind::Word && !sieve.passes(word) {
            continue;
        }
        stem.clear();
        plain.clear();
        fold(word, &mut plain);
        if piece.kind == Kind::Word {
            stems.stem(word, &mut stem);
        }
        for &(number, leaf) in &leaves {
            match &leaf.mark {
                Mark::Stems(wanted) if piece.kind == Kind::Word && wanted.contains(&stem) => {
                    hits.push((whole.clone(), number))
                }
                Mark::Words(wanted) if wanted.contains(&plain) => hits.push((whole.clone(), number)),
                Mark::Sequence(wanted) if wanted.first() == Some(&plain) => {
                    let others = words[at..].iter().zip(wanted).skip(1);
                    let are_same = others.clone().all(|(piece, word)| folded(&text[piece.start..piece.end]) == *word);
                    if let (true, Some(last)) = (are_same, words.get(at + wanted.len() - 1)) {
                        hits.push((piece.start..last.end, number));
                    }
                }
                Mark::Run(wanted) if piece.kind == Kind::Cjk => {
                    let found = word.match_indices(wanted.as_str());
                    hits.extend(found.map(|(at, run)| (piece.start + at..piece.start + at + run.len(), number)));
                }
                _ => {}
            }
        }
    }
    hits.sort_by_key(|(range, number)| (range.start, range.end, *number));
    hits
}

/// The hits that fit into this many bytes and are of the most leaves; of equals those with more hits, of equals the first.
fn best_window(hits: &[Hit], bytes: usize) -> &[Hit] {
    let mut best = (0, 0, 0..0);
    let mut end = 0;
    for begin in 0..hits.len() {
        end = end.max(begin);
        while end < hits.len() && hits[end].0.end.saturating_sub(hits[begin].0.start) <= bytes {
            end += 1;
        }
        let window = &hits[begin..end];
        let mut kinds: Vec<usize> = window.iter().map(|(_, leaf)| *leaf).collect();
        kinds.sort_unstable();
        kinds.dedup();
        if (kinds.len(), window.len()) > (best.0, best.1) {
            best = (kinds.len(), window.len(), begin..end);
        }
    }
    &hits[best.2]
}

/// A range widened to fill the room, to line ends where they are near and to spaces elsewhere.
fn widen(text: &str, range: Range<usize>, bytes: usize) -> Range<usize> {
    let spare = bytes.saturating_sub(range.len());
    let begin = text.ceil_char_boundary(range.start.saturating_sub(spare / 2));
    let begin = begin.min(range.start);
    let begin = match text[begin..range.start].find('\n') {
        _ if begin == 0 => 0,
        Some(at) if at * 2 < spare / 2 => begin + at + 1,
        _ => text[begin..range.start].find(char::is_whitespace).map_or(begin, |at| begin + at + 1),
    };
    let begin = text.ceil_char_boundary(begin).min(range.start);
    let end = text.floor_char_boundary(begin.saturating_add(bytes).min(text.len())).max(range.end);
    let end = match text[range.end..end].rfind('\n') {
        _ if end == text.len() => end,
        Some(at) if (end - range.end - at) * 2 < spare / 2 => range.end + at,
        _ => text[range.end..end].rfind(char::is_whitespace).map_or(end, |at| range.end + at),
    };
    trim(text, begin..end)
}

/// A range and so many lines before and after those it is on.
fn around(text: &str, range: Range<usize>, lines: usize) -> Range<usize> {
    let begin = text[..range.start].rmatch_indices('\n').nth(lines).map_or(0, |(at, _)| at + 1);
    let end = text[range.end..].match_indices('\n').nth(lines).map_or(text.len(), |(at, _)| range.end + at);
    trim(text, begin..end)
}

/// At most so many bytes of a range, with this place in it.
fn shrink(text: &str, range: Range<usize>, place: usize, bytes: usize) -> Range<usize> {
    if range.len() <= bytes {
        return range;
    }
    let begin = text.ceil_char_boundary(place.saturating_sub(bytes / 3).max(range.start));
    let begin = begin.min(place.clamp(range.start, range.end));
    begin..text.floor_char_boundary((begin + bytes).min(range.end)).max(begin)
}

fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let shown = &text[range.clone()];
    let begin = range.start + (shown.len() - shown.trim_start_matches(['\n', ' ']).len());
    let end = range.end - (shown.len() - shown.trim_end().len());
    begin.min(end)..end
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn leaf(mark: Mark) -> Leaf {
        let (terms, titles, names, phrases) = Default::default();
        Leaf { terms, titles, names, phrases, scores: true, mark }
    }

    fn stems(words: &[&str]) -> Leaf {
        leaf(Mark::Stems(words.iter().map(|word| word.to_string()).collect::<BTreeSet<_>>()))
    }

    fn marked(snippet: &Snippet) -> Vec<&str> {
        snippet.highlights.iter().map(|&(begin, end)| &snippet.text[begin..end]).collect()
    }

    #[test]
    fn the_window_with_the_most_different_words_is_shown() {
        let text = format!("run run run\n{}\nRunning with Café horses\n{}", "x ".repeat(300), "y ".repeat(300));
        let leaves = [stems(&["run"]), leaf(Mark::Words(["cafe".to_owned()].into())), stems(&["hors"])];
        let snippet = snippet(&text, Tongue::ENGLISH, &leaves, Room { bytes: 100, lines: None });
        assert_eq!(marked(&snippet), ["Running", "Café", "horses"]);
        assert!(snippet.text.len() <= 110, "{}", snippet.text);
        assert_eq!(snippet.lines_before, 2);
    }

    #[test]
    fn lines_are_counted_around_the_hit() {
        let text = "one\ntwo\nthree\nfour\nfive\n";
        let room = Room { bytes: 1000, lines: Some(1) };
        let snippet = snippet(text, Tongue::ENGLISH, &[stems(&["three"])], room);
        assert_eq!((snippet.text.as_str(), snippet.lines_before), ("two\nthree\nfour", 2));
    }

    #[test]
    fn sequences_and_runs_are_marked_whole() {
        let text = "The quick, brown fox. 東京都に住む";
        let room = Room { bytes: 1000, lines: None };
        let sequence = leaf(Mark::Sequence(vec!["quick".into(), "brown".into()]));
        let run = leaf(Mark::Run("京都".into()));
        assert_eq!(marked(&snippet(text, Tongue::ENGLISH, &[sequence, run], room)), ["quick, brown", "京都"]);
    }

    #[test]
    fn nothing_that_acts_leaves() {
        let text = "a\u{202e}b \u{1b}[31mword\u{200b} end";
        let snippet = snippet(text, Tongue::ENGLISH, &[stems(&["word"])], Room { bytes: 1000, lines: None });
        assert_eq!(snippet.text, "ab [31mword end");
        assert_eq!(snippet.highlights.len(), 0, "what stands between letters belongs to no word");
    }

    #[test]
    fn any_room_is_enough() {
        let text = "ääää öööö\n üüüü word 東京東京東京\n\n";
        for bytes in 0..text.len() + 3 {
            for lines in [None, Some(0), Some(1), Some(100)] {
                let snippet = snippet(text, Tongue::ENGLISH, &[stems(&["word"])], Room { bytes, lines });
                assert!(snippet.highlights.iter().all(|&(a, b)| snippet.text.get(a..b).is_some()));
            }
        }
    }
}
