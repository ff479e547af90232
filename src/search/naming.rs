//! A question that is a file's name: how far the words of both are the same. Whoever types a name means the file that is called so, even if
//! every other document has the words more often.

use super::plan::{Leaf, Mark, Plan};
use super::text::{Stems, Tongue, folded, pieces};

/// The words of a file's name, without its ending and the folders it is in.
#[derive(Debug)]
struct NameWords {
    words: Vec<String>,
    stems: Vec<String>,
}

impl NameWords {
    fn new(file_name: &str, tongue: Tongue) -> NameWords {
        let stem = file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem);
        let apart = apart(stem);
        let (mut words, mut stems) = (Vec::new(), Vec::new());
        let mut stemmer = Stems::new(tongue);
        for piece in pieces(&apart) {
            let word = &apart[piece.start..piece.end];
            let mut stem = String::new();
            stemmer.stem(word, &mut stem);
            words.push(folded(word));
            stems.push(stem);
        }
        NameWords { words, stems }
    }

    /// Marks the words that a leaf stands for; whether there is any.
    fn take(&self, leaf: &Leaf, taken: &mut [bool]) -> bool {
        let mut found = false;
        for (at, word) in self.words.iter().enumerate() {
            let is_named = |word: &str| leaf.names.iter().any(|name| name.value().as_str() == Some(word));
            let is = match &leaf.mark {
                Mark::Stems(stems) => stems.contains(&self.stems[at]) || is_named(word),
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

/// How far the words of a question, each of this rarity, and those of a file's name are the same: 0 to 1. What part of the question is in
/// the name counts twice, what part of the name is in the question once.
pub(super) fn sameness(plan: &Plan, rarities: &[f64], file_name: &str, tongue: Tongue) -> f64 {
    let name = NameWords::new(file_name, tongue);
    let mut taken = vec![false; name.words.len()];
    let (mut all, mut named) = (0.0, 0.0);
    for (leaf, rarity) in plan.leaves.iter().zip(rarities).filter(|(leaf, _)| leaf.scores) {
        all += rarity;
        if name.take(leaf, &mut taken) {
            named += rarity;
        }
    }
    if named == 0.0 {
        return 0.0;
    }
    let of_name = taken.iter().filter(|&&taken| taken).count() as f64 / taken.len() as f64;
    (named / all) * (named / all) * of_name
}

/// A name with the words that are written in `CamelCase` taken apart.
pub(super) fn apart(name: &str) -> String {
    let mut apart = String::with_capacity(name.len());
    let mut before = ' ';
    for c in name.chars() {
        if before.is_lowercase() && c.is_uppercase() {
            apart.push(' ');
        }
        apart.push(c);
        before = c;
    }
    apart
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
            let same = sameness(&plan(words), &vec![1.0; words.len()], name, Tongue::ENGLISH);
            assert_eq!(same, expected, "{words:?} {name}");
        }
    }
}
