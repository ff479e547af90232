//! PPTX (ECMA-376, PresentationML): slides in the order of the presentation, each with its title, its text and its notes.

mod shapes;

use quick_xml::events::Event;

use self::shapes::Shapes;
use super::Extracted;
use super::compose::Composer;
use super::extract::{ExtractLimits, Refusal};
use super::package::{Package, Relations, read_core};
use super::slide::Slide;
use crate::limits::SLIDES;

/// What a slide refers to that holds words of its own: drawn diagrams, charts, comments.
const WORDY: &[&str] = &["diagramData", "chart", "comments"];

pub(super) fn extract(bytes: &[u8], limits: &ExtractLimits) -> Result<Extracted, Refusal> {
    let mut package = Package::open(bytes)?;
    let main = Relations::of(&mut package, "")?.of_kind("officeDocument").next().map(str::to_owned);
    let main = main.unwrap_or_else(|| "ppt/presentation.xml".to_owned());
    let slides = slides(&mut package, &main)?;
    let mut composer = Composer::new(limits.max_text);
    for (number, part) in (1..).zip(&slides) {
        slide(&mut package, part)?.write(number, &mut composer);
        if composer.is_full() {
            break;
        }
    }
    let metadata = composer.metadata();
    metadata.pages = u32::try_from(slides.len()).ok();
    read_core(&mut package, metadata)?;
    composer.title_from_outline();
    Ok(composer.finish())
}

/// The parts that are slides, in order, each once.
fn slides(package: &mut Package<'_>, main: &str) -> Result<Vec<String>, Refusal> {
    let mut ids = Vec::new();
    let found = package.read(main, |events| {
        events.each(|event| {
            let (Event::Start(tag) | Event::Empty(tag)) = event else { return };
            // Its own `id` is a number; the relation's stands behind a prefix.
            if tag.local_name().as_ref() == "sldId" && ids.len() < SLIDES {
                let relation =
                    tag.attributes().with_checks(false).flatten().find(|attribute| {
                        attribute.key.prefix().is_some() && attribute.key.local_name().as_ref() == "id"
                    });
                ids.extend(relation.map(|relation| relation.value.to_string()));
            }
        })
    })?;
    if found.is_none() {
        return Err(Refusal::Damaged(format!("it has no {main}")));
    }
    let relations = Relations::of(package, main)?;
    let mut seen = std::collections::HashSet::new();
    let parts = ids.iter().filter_map(|id| relations.target(id));
    Ok(parts.filter(|part| seen.insert(part.to_string())).map(str::to_owned).collect())
}

fn slide(package: &mut Package<'_>, part: &str) -> Result<Slide, Refusal> {
    let mut slide = Slide::default();
    let mut shapes = Shapes::default();
    package.read_if_sound(part, |events| shapes.read(events))?;
    (slide.title, slide.blocks) = shapes.take();
    let relations = Relations::of(package, part)?;
    for kind in WORDY {
        for part in relations.of_kind(kind) {
            package.read_if_sound(part, |events| shapes.read(events))?;
            slide.blocks.extend(shapes.take().1);
        }
    }
    for notes in relations.of_kind("notesSlide") {
        package.read_if_sound(notes, |events| shapes.read(events))?;
        slide.notes.extend(shapes.take().1);
    }
    Ok(slide)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::package::tests::package;

    fn shape(kind: &str, text: &str) -> String {
        format!(
            r#"<p:sp><p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p>
               </p:txBody></p:sp>"#
        )
    }

    fn read(parts: &[(&str, &str)]) -> Result<Extracted, Refusal> {
        extract(&package(parts), &ExtractLimits::default())
    }

    const LIST: &str = r#"<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst><p:sldId id="256" r:id="b"/>
        <p:sldId id="257" r:id="a"/><p:sldId id="258" r:id="a"/><p:sldId id="259" r:id="c"/><p:sldId id="260" r:id="no"/>
        </p:sldIdLst></p:presentation>"#;
    const SLIDES: &str = r#"<R><Relationship Id="a" Type="x/slide" Target="slides/slide1.xml"/>
        <Relationship Id="b" Type="x/slide" Target="/ppt/slides/slide2.xml"/>
        <Relationship Id="c" Type="x/slide" Target="slides/slide3.xml"/></R>"#;

    #[test]
    fn slides_stand_in_the_order_of_the_presentation_with_their_notes() {
        let table = "<p:graphicFrame><a:tbl><a:tr><a:tc><a:txBody><a:p><a:r><a:t>May</a:t></a:r></a:p></a:txBody></a:tc><a:tc>\
                     <a:txBody><a:p><a:r><a:t>12</a:t></a:r></a:p></a:txBody></a:tc></a:tr></a:tbl></p:graphicFrame>";
        let one =
            [shape("body", "first &amp; last"), table.into(), shape("title", "Bees"), shape("sldNum", "7")].concat();
        let notes = [shape("sldImg", ""), shape("body", "say it slowly"), shape("sldNum", "2")].concat();
        let to_notes = r#"<R><Relationship Id="n" Type="x/notesSlide" Target="../notesSlides/notesSlide1.xml"/>
            <Relationship Id="h" Type="x/hyperlink" Target="http://x/chart" TargetMode="External"/></R>"#;
        let deck = read(&[
            ("ppt/presentation.xml", LIST),
            ("ppt/_rels/presentation.xml.rels", SLIDES),
            ("ppt/slides/slide1.xml", &format!("<p:sld>{one}</p:sld>")),
            ("ppt/slides/_rels/slide1.xml.rels", to_notes),
            ("ppt/slides/slide2.xml", &format!("<p:sld>{}</p:sld>", shape("ctrTitle", "The year"))),
            ("ppt/slides/slide3.xml", "<p:sld><p:pic/></p:sld>"),
            ("ppt/notesSlides/notesSlide1.xml", &format!("<p:notes>{notes}</p:notes>")),
        ])
        .unwrap();
        assert_eq!(deck.text, "The year\n\nBees\n\nfirst & last\n\nMay | 12\n\nsay it slowly\n\n");
        assert_eq!((deck.pages, deck.empty_pages, deck.title.as_deref()), (Some(3), 1, Some("The year")));
        assert_eq!(deck.which_empty, [3]);
        let places: Vec<_> = deck.passages.iter().map(|p| (p.place.page, p.place.heading.as_deref())).collect();
        assert_eq!(places, [(Some(1), Some("The year")), (Some(2), Some("Bees"))]);
    }

    #[test]
    fn a_chart_says_each_of_its_labels_once() {
        let series = "<c:ser><c:tx><c:v>Honey</c:v></c:tx><c:cat><c:pt><c:v>May</c:v></c:pt></c:cat><c:val><c:v>4.3</c:v></c:val></c:ser>";
        let deck = read(&[
            ("ppt/presentation.xml", LIST),
            ("ppt/_rels/presentation.xml.rels", SLIDES),
            ("ppt/slides/slide1.xml", "<p:sld/>"),
            (
                "ppt/slides/_rels/slide1.xml.rels",
                r#"<R><Relationship Id="c" Type="x/chart" Target="../charts/chart1.xml"/></R>"#,
            ),
            ("ppt/charts/chart1.xml", &format!("<c:chart>{}</c:chart>", series.repeat(3))),
        ])
        .unwrap();
        assert_eq!(deck.text.trim(), "Honey\n\nMay");
    }

    #[test]
    fn relations_that_lead_nowhere_or_in_circles_end() {
        let circle = r#"<R><Relationship Id="a" Type="x/notesSlide" Target="slide1.xml"/>
            <Relationship Id="b" Type="x/chart" Target="slide1.xml"/></R>"#;
        let deck = read(&[
            ("ppt/presentation.xml", LIST),
            ("ppt/_rels/presentation.xml.rels", SLIDES),
            ("ppt/slides/slide1.xml", &format!("<p:sld>{}</p:sld>", shape("body", "round"))),
            ("ppt/slides/_rels/slide1.xml.rels", circle),
        ])
        .unwrap();
        assert_eq!(deck.text.matches("round").count(), 3);
        assert!(matches!(read(&[("a.xml", "<a/>")]), Err(Refusal::Damaged(_))));
    }
}
