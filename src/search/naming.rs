//! A question that is a file's name: how far the words of both are the same. Whoever types a name means the file that is called so, even if
//! every other document has the words more often.

use std::borrow::Cow;

use super::plan::{Leaf, Mark, Plan};
use super::text::{Sieve, Stems, Tongue, folded, pieces};

/// A question, to be held against names.
#[derive(Debug)]
pub(super) struct Naming<'a> {
    plan: &'a Plan,
    rarities: &'a [f64],
    sieve: Sieve,
    has_runs: bool,
}

/// The words of a file's name, without its ending and the folders it is in.
#[derive(Debug, Default)]
struct NameWords {
    /// How many there are.
    count: usize,
    /// Those that may be in the question: folded, and their stems.
    words: Vec<(String, String)>,
}

impl<'a> Naming<'a> {
    /// A question, with the rarity of each of its words.
    pub(super) fn new(plan: &'a Plan, rarities: &'a [f64]) -> Naming<'a> {
        let scoring = || plan.leaves.iter().filter(|leaf| leaf.scores);
        let names = scoring().flat_map(|leaf| &leaf.names).filter_map(|name| name.value().as_str().map(str::to_owned));
        let names: Vec<String> = names.collect();
        let words = scoring().flat_map(|leaf| leaf.mark.begins()).chain(names.iter().map(String::as_str));
        let has_runs = scoring().any(|leaf| matches!(leaf.mark, Mark::Run(_)));
        Naming { plan, rarities, sieve: Sieve::new(Tongue::ENGLISH, words), has_runs }
    }

    /// How far the words of the question and those of a file's name are the same: 0 to 1. What part of the question is in the name counts
    /// twice, what part of the name is in the question once.
    pub(super) fn sameness(&self, file_name: &str, tongue: Tongue) -> f64 {
        let name = self.words_of(file_name, tongue);
        let mut taken = vec![false; name.words.len()];
        let (mut all, mut named) = (0.0, 0.0);
        for (leaf, rarity) in self.plan.leaves.iter().zip(self.rarities).filter(|(leaf, _)| leaf.scores) {
            all += rarity;
            if name.take(leaf, &mut taken) {
                named += rarity;
            }
        }
        if named == 0.0 {
            return 0.0;
        }
        let of_name = taken.iter().filter(|&&taken| taken).count() as f64 / name.count as f64;
        (named / all) * (named / all) * of_name
    }

    fn words_of(&self, file_name: &str, tongue: Tongue) -> NameWords {
        let apart = apart(file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem));
        let mut name = NameWords::default();
        let passes = |word: &str| self.has_runs || !tongue.keeps_beginnings() || self.sieve.passes(word);
        for word in pieces(&apart).map(|piece| &apart[piece.start..piece.end]) {
            name.count += 1;
            if passes(word) {
                let mut stem = String::new();
                Stems::new(tongue).stem(word, &mut stem);
                name.words.push((folded(word), stem));
            }
        }
        name
    }
}

impl NameWords {
    /// Marks the words that a leaf stands for; whether there is any.
    fn take(&self, leaf: &Leaf, taken: &mut [bool]) -> bool {
        let mut found = false;
        for (at, (word, stem)) in self.words.iter().enumerate() {
            let is_named = |word: &str| leaf.names.iter().any(|name| name.value().as_str() == Some(word));
            let is = match &leaf.mark {
                Mark::Stems(stems) => stems.contains(stem) || is_named(word),
                Mark::Words(words) => words.contains(word),
                Mark::Run(run) => word.contains(run.as_str()),
                Mark::Sequence(_) => false,
            };
            taken[at] |= is;
            found |= is;
        }
        found
    }
}

/// A name with the words that are written in `CamelCase` taken apart.
pub(super) fn apart(name: &str) -> Cow<'_, str> {
    let humps =
        || name.chars().zip(name.char_indices().skip(1)).filter(|(a, (_, b))| a.is_lowercase() && b.is_uppercase());
    if humps().next().is_none() {
        return Cow::Borrowed(name);
    }
    let (mut apart, mut at) = (String::with_capacity(name.len() + 8), 0);
    for (_, (hump, _)) in humps() {
        apart.push_str(&name[at..hump]);
        apart.push(' ');
        at = hump;
    }
    apart.push_str(&name[at..]);
    Cow::Owned(apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(words: &[&str]) -> Plan {
        let leaf = |word: &&str| {
            let mut stem = String::new();
            Stems::new(Tongue::ENGLISH).stem(word, &mut stem);
            Leaf::new(Mark::Stems([stem].into()), true)
        };
        Plan { leaves: words.iter().map(leaf).collect(), ..Plan::default() }
    }

    #[test]
    fn names_are_the_same_as_questions_more_or_less() {
        for (words, name, expected) in [
            (&["heat", "pump"][..], "heat-pumps.pdf", 1.0),
            (&["heat", "pump"], "HeatPump.md", 1.0),
            (&["heat", "pump"], "2024_heat.pump.report.md", 0.5),
            (&["heat", "pump"], "heat.md", 0.25),
            (&["heat", "pump"], "roses.md", 0.0),
            (&["md"], "heat.md", 0.0),
            (&["heat"], ".md", 0.0),
        ] {
            let (plan, rarities) = (plan(words), vec![1.0; words.len()]);
            let same = Naming::new(&plan, &rarities).sameness(name, Tongue::ENGLISH);
            assert_eq!(same, expected, "{words:?} {name}");
        }
    }
}
