//! The subjects of `tests/fuzz.rs` for libFuzzer, which sees what of our code an input reaches and keeps what reaches more.
//! `ADIT_FUZZ_ONLY` names the subject; with `ADIT_FUZZ_SEEDS`, its seeds are written into that folder instead.

#![no_main]

#[path = "../subjects/mod.rs"]
#[allow(dead_code)]
mod subjects;

use std::path::Path;
use std::sync::OnceLock;

use subjects::{SUBJECTS, Subject};

libfuzzer_sys::fuzz_target!(
    init: {
        if let Some(folder) = std::env::var_os("ADIT_FUZZ_SEEDS") {
            let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../library");
            for (number, seed) in subject().seeds(&library).into_iter().enumerate() {
                std::fs::write(Path::new(&folder).join(number.to_string()), seed).expect("the folder takes it");
            }
            std::process::exit(0);
        }
    },
    |bytes: &[u8]| {
        static SUBJECT: OnceLock<Subject> = OnceLock::new();
        SUBJECT.get_or_init(subject).try_bytes(bytes);
    }
);

fn subject() -> Subject {
    let name = std::env::var("ADIT_FUZZ_ONLY").expect("ADIT_FUZZ_ONLY names a subject");
    SUBJECTS.into_iter().find(|subject| subject.name() == name).expect("it is one of the subjects")
}
