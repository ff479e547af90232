//! XLSX (ECMA-376, SpreadsheetML), read by calamine: sheets in order, each a part by number under its name, rows as lines.

use std::io::{Cursor, Read, Seek};

use calamine::{DataRef, ExcelDateTime, Reader, SheetType, Xlsx, XlsxError};

use super::Extracted;
use super::compose::Composer;
use super::extract::{ExtractLimits, Refusal};
use super::package::{Package, damaged, read_core};
use super::row::Row;
use crate::limits::{SHEETS, UNPACKED_BYTES};

pub(super) fn extract(bytes: &[u8], limits: &ExtractLimits) -> Result<Extracted, Refusal> {
    let mut package = Package::open(bytes)?;
    // All strings of a workbook are held at once, its sheets are not.
    if package.size("xl/sharedStrings.xml") > UNPACKED_BYTES {
        return Err(Refusal::Inflates { limit: UNPACKED_BYTES });
    }
    let mut book: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(bytes)).map_err(refusal)?;
    let sheets: Vec<(String, SheetType)> =
        book.sheets_metadata().iter().map(|sheet| (sheet.name.clone(), sheet.typ)).take(SHEETS).collect();
    let mut composer = Composer::new(limits.max_text);
    for (number, (name, kind)) in (1..).zip(&sheets) {
        composer.part(number);
        composer.heading(1, name);
        if *kind == SheetType::WorkSheet && !composer.is_full() {
            // What breaks off in one sheet still has the others.
            let _ = read_sheet(&mut book, name, &mut composer);
        }
    }
    let metadata = composer.metadata();
    metadata.pages = u32::try_from(sheets.len()).ok();
    read_core(&mut package, metadata)?;
    for comments in package.names().into_iter().filter(|name| name.starts_with("xl/comments")) {
        read_comments(&mut package, &comments, &mut composer)?;
    }
    Ok(composer.finish())
}

fn refusal(error: XlsxError) -> Refusal {
    match error {
        XlsxError::Password => Refusal::Encrypted,
        other => damaged(other),
    }
}

fn read_sheet<R: Read + Seek>(book: &mut Xlsx<R>, name: &str, composer: &mut Composer) -> Result<(), XlsxError> {
    let mut cells = book.worksheet_cells_reader(name)?;
    let mut row = Row::default();
    let (mut row_number, mut next_column) = (0, 0);
    let outcome = loop {
        let cell = match cells.next_cell() {
            Ok(Some(cell)) => cell,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        let (at_row, at_column) = cell.get_position();
        if at_row != row_number {
            write(&mut row, row_number, composer);
            (row_number, next_column) = (at_row, 0);
        }
        row.skip(at_column.saturating_sub(next_column) as usize);
        row.cell(&shown(cell.get_value()));
        next_column = at_column.saturating_add(1);
        if composer.is_full() {
            break Ok(());
        }
    };
    write(&mut row, row_number, composer);
    outcome
}

/// Rows are counted from 1, as programs show them.
fn write(row: &mut Row, number: u32, composer: &mut Composer) {
    if let Some(line) = row.take() {
        composer.row(number.saturating_add(1));
        composer.push(&line);
    }
}

/// A value as a person would write it: dates in ISO 8601, no trace of how numbers are stored.
fn shown(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty | DataRef::Error(_) => String::new(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(true) => "TRUE".to_owned(),
        DataRef::Bool(false) => "FALSE".to_owned(),
        DataRef::DateTime(moment) => date(moment),
    }
}

fn date(moment: &ExcelDateTime) -> String {
    let days = moment.as_f64();
    let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
    let time = |hour: i64| match second {
        0 => format!("{hour:02}:{minute:02}"),
        second => format!("{hour:02}:{minute:02}:{second:02}"),
    };
    if moment.is_duration() {
        // Hours beyond a day are counted on.
        return time((days.trunc() as i64).saturating_mul(24).saturating_add(hour.into()));
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    match (days.trunc() == 0.0, (hour, minute, second)) {
        (true, _) => time(hour.into()),
        (false, (0, 0, 0)) => date,
        (false, _) => format!("{date} {}", time(hour.into())),
    }
}

fn read_comments(package: &mut Package<'_>, part: &str, composer: &mut Composer) -> Result<(), Refusal> {
    use quick_xml::events::Event;

    use super::package::resolve;

    let (mut text, mut in_text) = (String::new(), false);
    package.read_if_sound(part, |events| {
        events.each(|event| match event {
            Event::Start(tag) if tag.local_name().as_ref() == "t" => in_text = true,
            Event::End(tag) if tag.local_name().as_ref() == "t" => in_text = false,
            Event::End(tag) if tag.local_name().as_ref() == "comment" => {
                composer.paragraph(&std::mem::take(&mut text));
            }
            Event::Text(piece) if in_text => text.push_str(piece),
            Event::GeneralRef(reference) if in_text => text.extend(resolve(reference)),
            _ => {}
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::package::tests::package;

    fn workbook(sheet: &str) -> Vec<u8> {
        package(&[
            ("[Content_Types].xml", "<Types/>"),
            (
                "_rels/.rels",
                r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1"
                Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/>
                </Relationships>"#,
            ),
            (
                "xl/workbook.xml",
                r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"
                xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>
                <sheet name="Hens" sheetId="1" r:id="r1"/><sheet name="Eggs" sheetId="2" r:id="r2"/></sheets></workbook>"#,
            ),
            (
                "xl/_rels/workbook.xml.rels",
                r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1"
                Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"
                Target="worksheets/sheet1.xml"/><Relationship Id="r2"
                Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"
                Target="worksheets/sheet2.xml"/></Relationships>"#,
            ),
            ("xl/worksheets/sheet1.xml", sheet),
            (
                "xl/worksheets/sheet2.xml",
                "<worksheet><sheetData><row r=\"3\"><c r=\"B3\"><v>6.5</v></c></row></sheetData></worksheet>",
            ),
            (
                "xl/comments1.xml",
                "<comments><comment><text><r><t>ask the &lt;vet&gt;</t></r></text></comment></comments>",
            ),
        ])
    }

    fn read(sheet: &str) -> Result<Extracted, Refusal> {
        extract(&workbook(sheet), &ExtractLimits::default())
    }

    #[test]
    fn rows_stand_below_their_sheet_with_their_number() {
        let sheet = "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>Name</t></is></c>\
                     <c r=\"C1\" t=\"str\"><v>Age</v></c></row><row r=\"1048576\"><c r=\"A1048576\" t=\"b\"><v>1</v></c>\
                     <c r=\"B1048576\" t=\"e\"><v>#N/A</v></c></row></sheetData></worksheet>";
        let book = read(sheet).unwrap();
        assert_eq!(book.text, "Hens\nName |  | Age\n\nTRUE\n\nEggs\n| 6.5\n\nask the <vet>");
        assert_eq!(book.pages, Some(2));
        let places: Vec<_> =
            book.passages.iter().map(|p| (p.place.page, p.place.heading.as_deref(), p.place.line)).collect();
        assert_eq!(
            places,
            [
                (Some(1), Some("Hens"), Some(0)),
                (Some(1), Some("Hens"), Some(1_048_576)),
                (Some(2), Some("Eggs"), Some(2))
            ]
        );
    }

    #[test]
    fn a_sheet_that_breaks_off_loses_nothing_else() {
        let book = read("<worksheet><sheetData><row><c t=\"str\"><v>kept</v></c></row><row><c r=\"A1").unwrap();
        assert!(book.text.contains("kept") && book.text.contains("6.5"), "{}", book.text);
        assert!(matches!(extract(b"PK\x05\x06", &ExtractLimits::default()), Err(Refusal::Damaged(_))));
    }

    #[test]
    fn dates_are_written_as_dates() {
        use calamine::ExcelDateTimeType::{DateTime, TimeDelta};

        for (days, kind, expected) in [
            (45943.5, DateTime, "2025-10-13 12:00"),
            (45943.0, DateTime, "2025-10-13"),
            (45943.541, DateTime, "2025-10-13 12:59:02"),
            (0.25, DateTime, "06:00"),
            (1.5, TimeDelta, "36:00"),
        ] {
            assert_eq!(date(&ExcelDateTime::new(days, kind, false)), expected);
        }
    }
}
