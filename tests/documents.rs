//! Every document of `tests/library` is read, and what is known to stand in it is found on its page, below its heading, at its line.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use adit::documents::{
    Dotfiles, ExtractLimits, Extracted, Format, Kind, Passage, Place, Visibility, detect, extract, open_beneath,
};

fn library() -> Visibility {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library");
    Visibility::new(&root, &[], Dotfiles::Hidden, 1 << 20).unwrap()
}

fn read(path: &str) -> (Format, Extracted) {
    use std::io::Read;

    let mut bytes = Vec::new();
    open_beneath(library().root(), path).unwrap().read_to_end(&mut bytes).unwrap();
    let Kind::Document(format) = detect(path, &bytes) else { panic!("{path} is no document") };
    let extracted =
        extract(format, &bytes, &ExtractLimits::default()).unwrap_or_else(|error| panic!("{path}: {error}"));
    (format, extracted)
}

fn passage_with<'a>(extracted: &'a Extracted, words: &str) -> &'a Passage {
    let at = extracted.text.find(words).unwrap_or_else(|| panic!("{words:?} is missing from\n{}", extracted.text));
    extracted.passages.iter().find(|passage| passage.start <= at && at < passage.end).unwrap()
}

fn page(page: u32, heading: &str) -> Place {
    Place { page: Some(page), heading: Some(heading.into()), line: None }
}

fn line(line: u32) -> Place {
    Place { line: Some(line), ..Place::default() }
}

fn below(heading: &str, line: impl Into<Option<u32>>) -> Place {
    Place { page: None, heading: Some(heading.into()), line: line.into() }
}

/// A slide, a sheet, a message, a cell.
fn part(number: u32, heading: &str, line: impl Into<Option<u32>>) -> Place {
    Place { page: Some(number), heading: Some(heading.into()), line: line.into() }
}

/// Path, format, title, language, some words, and the place of their passage.
type Fact = (&'static str, Format, Option<&'static str>, Option<&'static str>, &'static str, Place);

#[rustfmt::skip]
fn facts() -> Vec<Fact> {
    use Format::*;
    vec![
        ("README.md", Markdown, Some("Papers of the house at Mill Lane 7"), Some("eng"), "found by nobody",
            below("Papers of the house at Mill Lane 7", 1)),
        ("house/heat-pump-manual.pdf", Pdf, Some("Brookside BW 8 heat pump: manual for owners"), Some("eng"),
            "opens at 3 bar", page(2, "The safety valve")),
        ("house/heat-pump-manual.pdf", Pdf, Some("Brookside BW 8 heat pump: manual for owners"), Some("eng"),
            "hexagonal cap", page(4, "Cleaning the strainer")),
        ("house/heat-pump-manual.pdf", Pdf, Some("Brookside BW 8 heat pump: manual for owners"), Some("eng"),
            "Clean the strainer; check", page(5, "Faults")),
        ("house/household-insurance.pdf", Pdf, Some("Household insurance: your policy in plain words"), Some("eng"),
            "older than forty years", page(2, "Water damage")),
        ("house/lease-mill-lane-7.docx", Docx, Some("Lease of the house at Mill Lane 7"), Some("eng"),
            "three months' notice", below("Notice period", None)),
        ("house/lease-mill-lane-7.docx", Docx, Some("Lease of the house at Mill Lane 7"), Some("eng"),
            "1 June 2022 | 1,150 | 160", below("Rent", None)),
        ("club/choir-minutes-2024-01.docx", Docx, Some("Minutes of the annual meeting"), Some("eng"),
            "barn at Tollgate Farm", below("2. Programme of the year", None)),
        ("house/meter-readings-2023.csv", Csv, None, None, "strainer cleaned on the 3rd", line(1)),
        ("house/thermostat-settings.json", Json, None, None, "never below 15, the piano", line(1)),
        ("workshop/hand-planes.rst", Rst, Some("Five hand planes"), Some("eng"), "end grain: its bed", below("The block plane", 29)),
        ("workshop/band-saw.md", Markdown, Some("Living with the old band saw"), Some("eng"), "2,950 mm", below("Blades", 12)),
        ("workshop/wood_movement.py", Code, None, None, "FIBRE_SATURATION = 28.0", line(1)),
        ("workshop/cut_list.rs", Code, None, None, "KERF_MM: u32 = 2", line(1)),
        ("workshop/spare-parts.xml", Xml, None, None, "stamped 1117", line(1)),
        ("kitchen/sourdough.md", Markdown, Some("Rye sourdough, the short version"), Some("eng"), "250 °C", below("Baking", 32)),
        ("kitchen/miso-soup.ja.txt", Text, None, Some("jpn"), "味噌は火を止めてから", line(1)),
        ("kitchen/Omas Kartoffelsuppe.txt", Text, None, Some("deu"), "Majoran kommt erst ganz am Schluss", line(1)),
        ("kitchen/preserves.md", Markdown, Some("Preserves"), Some("eng"), "six weeks", below("Piccalilli", 13)),
        ("garden/calendar.md", Markdown, Some("The allotment, month by month"), Some("eng"), "46.50", below("December", 49)),
        ("garden/Obstbaumschnitt.md", Markdown, Some("Obstbaumschnitt"), Some("deu"), "mehr als ein Viertel", below("Der alte Apfelbaum", 20)),
        ("garden/compost.html", Html, Some("A compost heap that heats – Notes from Plot 23"), Some("eng"),
            "Cardboard, torn | 350 : 1", below("The number", None)),
        ("garden/seed-swap.org", Org, Some("Seed swap"), Some("eng"), "18 of 20", below("Tomatoes", 10)),
        ("garden/soil-temperature.ipynb", Notebook, Some("Soil temperature on Plot 23"), Some("eng"),
            "runner beans from 19 May", part(4, "When to sow", None)),
        ("garden/crop-rotation.odp", Odp, Some("Crop rotation on Plot 23"), Some("eng"), "infected bed", part(3, "Club root", None)),
        ("garden/swarm.mbox", Mbox, None, Some("eng"), "hear them through the glass", part(2, "Re: A swarm in your pear tree", None)),
        ("garden/swarm.mbox", Mbox, None, Some("eng"), "a blue dot", part(3, "The queen is marked", None)),
        ("house/automation.yaml", Yaml, None, None, "float-switch-2", line(1)),
        ("house/complaint.rtf", Rtf, Some("Complaint about the heat pump"), Some("eng"), "at \u{2212}9 °C", below("What happened", None)),
        ("house/complaint.rtf", Rtf, Some("Complaint about the heat pump"), Some("eng"), "8 January | 04:05", below("What we ask for", None)),
        ("house/heating-costs.ods", Ods, Some("Heating costs"), None, "February | 371 | 89", part(1, "Heat pump 2024", 0)),
        ("house/heating-costs.ods", Ods, Some("Heating costs"), None, "Hollins Wood", part(2, "Firewood", 0)),
        ("workshop/tool-inventory.xlsx", Xlsx, Some("Tools"), None, "dovetail saw, 20 points | Harrow & Sons | 2020-03-14",
            part(1, "Hand tools", 0)),
        ("workshop/tool-inventory.xlsx", Xlsx, Some("Tools"), None, "belt B34 worn", part(2, "Machines", 0)),
        ("club/annual-review.pptx", Pptx, Some("The choir's year 2023"), Some("eng"), "Basses | 4 | 0.2", part(2, "Attendance", None)),
        ("club/annual-review.pptx", Pptx, Some("The choir's year 2023"), Some("eng"), "out of the tombola", part(3, "The piano", None)),
        ("club/choir-tour.odt", Odt, Some("Concert tour to the coast"), Some("eng"), "six sharp. Seats are numbered,\nscores",
            below("Travel", None)),
        ("club/choir-tour.odt", Odt, Some("Concert tour to the coast"), Some("eng"), "Old Mill | 9", below("Lodging", None)),
        ("club/hall-booking.eml", Email, Some("Parish hall: your booking for 15 June"), Some("eng"), "key comes from the bakery",
            below("Parish hall: your booking for 15 June", None)),
        ("club/hall-booking.eml", Email, Some("Parish hall: your booking for 15 June"), Some("eng"), "stacks of eight",
            below("hall-rules.md › Leaving", None)),
        ("kitchen/keeping-food.epub", Epub, Some("Keeping food without a fridge"), Some("eng"), "wet fish takes no smoke",
            below("Trout", None)),
        ("kitchen/keeping-food.epub", Epub, Some("Keeping food without a fridge"), Some("eng"), "hardened ring", below("Jars", None)),
    ]
}

#[test]
fn what_is_known_is_found_at_its_place() {
    for (path, format, title, language, words, place) in facts() {
        let (read_as, extracted) = read(path);
        assert_eq!(read_as, format, "{path}");
        assert_eq!(extracted.title.as_deref(), title, "{path}");
        assert_eq!(extracted.language.as_deref(), language, "{path}");
        assert_eq!(passage_with(&extracted, words).place, place, "{path}: {words}");
    }
}

#[test]
fn every_file_of_the_library_is_read_whole() {
    let walk = library().walk(&AtomicBool::new(false)).unwrap();
    assert_eq!(walk.refused, []);
    let known: Vec<&str> = facts().iter().map(|fact| fact.0).collect();
    for file in &walk.files {
        assert!(known.contains(&file.path.as_str()), "{} has no fact in this test", file.path);
        let (_, extracted) = read(&file.path);
        assert!(extracted.is_sound(1 << 20), "{}", file.path);
        assert!(!extracted.truncated && extracted.empty_pages == 0, "{}", file.path);
        let whole: String =
            extracted.passages.iter().map(|passage| &extracted.text[passage.start..passage.end]).collect();
        assert_eq!(whole, extracted.text, "{}", file.path);
    }
    assert!(!walk.files.iter().any(|file| file.path.starts_with("drafts")));
}

#[test]
fn bookmarks_of_a_pdf_are_its_outline() {
    let (_, manual) = read("house/heat-pump-manual.pdf");
    assert_eq!((manual.pages, manual.author.as_deref()), (Some(6), Some("Brookside Warmth Ltd")));
    let outline: Vec<_> = manual.outline.iter().map(|entry| (entry.level, entry.title.as_str(), entry.page)).collect();
    assert_eq!(outline.len(), 15);
    for entry in [
        (1, "Brookside BW 8", Some(1)),
        (2, "The safety valve", Some(2)),
        (2, "Hot water", Some(3)),
        (1, "Maintenance", Some(4)),
        (1, "Warranty and addresses", Some(6)),
    ] {
        assert!(outline.contains(&entry), "{entry:?} is missing from {outline:?}");
    }
}

#[test]
fn what_no_reader_of_a_page_sees_is_not_read() {
    let (_, page) = read("garden/compost.html");
    assert!(!page.text.contains("marmalade") && !page.text.contains("Georgia"));
    assert!(page.text.contains("Week   Temperature\n  1        64 C"));
    assert!(page.text.contains("Visitors’ book"));
}

#[test]
fn what_a_document_says_of_itself_is_known() {
    for (path, author, created, pages) in [
        ("club/choir-tour.odt", "Ines Ashdown", "2024-02-11T18:20:00Z", Some(2)),
        ("garden/crop-rotation.odp", "Ines Ashdown", "2024-01-28T15:00:00Z", Some(3)),
        ("house/heating-costs.ods", "Rowan Ashdown", "2024-05-01T08:00:00Z", Some(2)),
        ("club/annual-review.pptx", "Mr Oduya", "2024-01-15T19:00:00Z", Some(3)),
        ("workshop/tool-inventory.xlsx", "Rowan Ashdown", "2024-03-09T11:00:00Z", Some(2)),
        ("kitchen/keeping-food.epub", "Hester Lowe", "1987-09-01T00:00:00Z", None),
        ("house/complaint.rtf", "Rowan Ashdown", "2024-01-09T00:00:00Z", None),
        ("club/hall-booking.eml", "Dorothea Brück <hall@thornbury.example>", "2024-03-04T17:42:00Z", None),
        ("garden/seed-swap.org", "Ines Ashdown", "2024-02-25T00:00:00Z", None),
    ] {
        let (_, extracted) = read(path);
        assert_eq!(extracted.author.as_deref(), Some(author), "{path}");
        assert_eq!(extracted.created.map(|created| created.to_string()).as_deref(), Some(created), "{path}");
        assert_eq!(extracted.pages, pages, "{path}");
    }
}
