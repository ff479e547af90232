//! A hit in, what its score is made of out: from the same walk over the evidence that made the score.

use super::candidates::Candidate;
use super::error::LibraryError;
use super::plan::{Leaf, Mark, Plan};
use super::score::{Of, Share, each_share};
use super::types::Contribution;
use super::view::{Statistics, View};

/// Words that a leaf's label has at most: `inv*` stands for fifty.
const LABEL_WORDS: usize = 5;

/// What adds up to a candidate's score, the most first.
pub(super) fn explain(
    view: &View,
    plan: &Plan,
    statistics: &Statistics,
    candidate: &Candidate,
) -> Result<Vec<Contribution>, LibraryError> {
    let part = &view.parts[candidate.part as usize];
    let segment = part.snapshot.searcher.segment_reader(candidate.segment);
    let mut shares: Vec<Share> = Vec::new();
    each_share(part, segment, plan, statistics, &[candidate.doc], &[candidate.slot], |_, share| shares.push(share))
        .map_err(|error| part.error(error))?;
    shares.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    Ok(shares.iter().map(|share| contribution(plan, share)).collect())
}

fn contribution(plan: &Plan, share: &Share) -> Contribution {
    let of = |at: usize| label(&plan.leaves[at]);
    let (field, words) = match share.of {
        Of::Text(at) => ("text", of(at)),
        Of::Title(at) => ("title", of(at)),
        Of::Name(at) => ("name", of(at)),
        Of::Phrase(at) => ("phrase", of(at)),
        Of::Named => ("named", String::new()),
        Of::Near(first, second) => ("near", format!("{}, {}", of(first), of(second))),
    };
    Contribution {
        field: field.to_owned(),
        words,
        weight: share.weight as f32,
        times: share.times as f32,
        rarity: share.rarity as f32,
    }
}

/// How a leaf is called: by the word that was typed, folded, where it is one.
fn label(leaf: &Leaf) -> String {
    let some = |words: &mut dyn Iterator<Item = &String>| {
        let mut named: Vec<&str> = words.take(LABEL_WORDS + 1).map(String::as_str).collect();
        if named.len() > LABEL_WORDS {
            named[LABEL_WORDS] = "…";
        }
        named.join("|")
    };
    match &leaf.mark {
        Mark::Stems(stems) => {
            let typed = leaf.names.first().and_then(|name| name.value().as_str().map(str::to_owned));
            typed.unwrap_or_else(|| some(&mut stems.iter()))
        }
        Mark::Words(words) => some(&mut words.iter()),
        Mark::Sequence(words) => format!("\"{}\"", words.join(" ")),
        Mark::Run(run) => run.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_called_by_what_was_typed() {
        let words = |words: &'static str| words.split(' ').map(str::to_owned);
        for (mark, expected) in [
            (Mark::Stems(words("a b").collect()), "a|b"),
            (Mark::Words(words("a b c d e f g").collect()), "a|b|c|d|e|…"),
            (Mark::Sequence(words("rent increase").collect()), "\"rent increase\""),
            (Mark::Run("東京".to_owned()), "東京"),
        ] {
            assert_eq!(label(&Leaf::new(mark, true)), expected);
        }
    }
}
