//! A slide of a presentation, put together and written: its title first, then what stands on it, then its notes.

use super::compose::Composer;

/// A slide being read.
#[derive(Debug, Default)]
pub(super) struct Slide {
    pub(super) title: String,
    pub(super) blocks: Vec<String>,
    pub(super) notes: Vec<String>,
}

impl Slide {
    /// Writes it as the part of this number. One without a word is counted as a page without text.
    pub(super) fn write(self, number: u32, composer: &mut Composer) {
        composer.part(number);
        let start = composer.text().len();
        composer.heading(1, &self.title);
        for block in &self.blocks {
            composer.paragraph(block);
        }
        for note in &self.notes {
            composer.paragraph(note);
        }
        if composer.text().len() == start && !composer.is_full() {
            composer.empty_page(number);
        }
    }
}
