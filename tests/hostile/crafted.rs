//! Documents that were made to harm.

use std::time::Duration;

use adit::daemon::workers::ExtractError;
use adit::documents::{Format, Refusal};

use crate::forge::*;
use crate::{check, check_good, pool, read};

#[tokio::test(flavor = "multi_thread")]
async fn crafted_documents_harm_nobody() {
    let pool = pool(Duration::from_secs(30));
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(200_000), close.repeat(200_000)).into_bytes();
    let levels =
        (1..10).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect::<String>();
    let billion = format!("<!DOCTYPE d [<!ENTITY l0 \"ha\">{levels}]><d>&l9;</d>");
    let laughs = "<!DOCTYPE d [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]><d>&b;&b;</d>";
    let crafted: Vec<(&str, Format, Vec<u8>)> = vec![
        ("a bomb", Format::Docx, docx(&vec![b' '; 97 << 20])),
        ("deep tables", Format::Docx, docx(&deep("<w:tbl><w:tr><w:tc>", ""))),
        ("entities", Format::Docx, docx(laughs.as_bytes())),
        ("a giant element", Format::Docx, docx(format!("<a b=\"{}\"/>", "x".repeat(80 << 20)).as_bytes())),
        ("a billion laughs", Format::Xml, billion.clone().into_bytes()),
        ("a billion laughs", Format::Docx, docx(billion.as_bytes())),
        ("a billion laughs", Format::Odt, odf(&billion)),
        ("a billion laughs", Format::Xlsx, xlsx(&billion, &billion)),
        ("a billion laughs", Format::Epub, epub(billion.as_bytes(), &billion)),
        ("a billion laughs", Format::Html, billion.clone().into_bytes()),
        ("aliases of aliases", Format::Yaml, (1..10).fold("l0: &l0 [ha]\n".to_owned(), |all, n| all + &format!("l{n}: &l{n} [{}]\n", format!("*l{},", n - 1).repeat(10))).into_bytes()),
        ("entities in XML", Format::Xml, laughs.into()),
        ("a bomb", Format::Odt, odf(&" ".repeat(97 << 20))),
        ("deep lists", Format::Odt, odf(&"<text:list><text:list-item><text:p>a".repeat(200_000))),
        ("deep tables", Format::Odt, odf(&"<table:table><table:table-row><table:table-cell>".repeat(200_000))),
        ("deep notes", Format::Odt, odf(&"<text:p>a<text:note><text:note-body>".repeat(200_000))),
        (
            "a million empty rows",
            Format::Ods,
            odf(&"<table:table table:name='S'><table:table-row table:number-rows-repeated='4294967295'><table:table-cell \
                  table:number-columns-repeated='4294967295'/></table:table-row></table:table>"
                .repeat(1000)),
        ),
        (
            "a million full rows",
            Format::Ods,
            odf(&format!(
                "<table:table>{}",
                "<table:table-row table:number-rows-repeated='4000000000'><table:table-cell table:number-columns-repeated='4000000000'>\
                 <text:p>again and again</text:p></table:table-cell></table:table-row>"
                    .repeat(10_000)
            )),
        ),
        ("entities", Format::Ods, odf(laughs)),
        ("slides without end", Format::Odp, odf(&"<draw:page><draw:frame presentation:class='title'>".repeat(200_000))),
        ("relations in circles", Format::Pptx, pptx_in_circles()),
        ("far cells", Format::Xlsx, xlsx("<row r='1048576'><c r='XFD1048576'><v>1</v></c></row><row r='1'><c r='A1'><v>2</v></c></row>", "<sst></sst>")),
        ("cells that are nowhere", Format::Xlsx, xlsx("<row r='99999999999'><c r='ZZZZZZ0'><v>1</v></c></row>", "<sst></sst>")),
        ("many cells", Format::Xlsx, xlsx(&"<row><c><v>1</v></c></row>".repeat(200_000), "<sst></sst>")),
        ("strings that are said to be many", Format::Xlsx, xlsx("", "<sst uniqueCount='18446744073709551615'></sst>")),
        ("a bomb of strings", Format::Xlsx, xlsx("", &format!("<sst>{}</sst>", "<si><t>aaaaaaaa</t></si>".repeat(8_000_000)))),
        ("a bomb", Format::Epub, epub(&vec![b' '; 97 << 20], "")),
        ("deep contents", Format::Epub, epub(b"<p>text", &format!("<nav epub:type='toc'>{}", "<ol><li><a href='a.xhtml#x'>a</a>".repeat(40_000)))),
        ("a title without end", Format::Epub, epub(b"<title/><p>text<script/><p>more", "")),
        ("deep groups", Format::Rtf, format!("{{\\rtf1 {}", "{\\b a".repeat(100_000)).into_bytes()),
        ("deep notes", Format::Rtf, format!("{{\\rtf1 {}", "{\\footnote a\\par ".repeat(100_000)).into_bytes()),
        ("lengths that lie", Format::Rtf, b"{\\rtf1 a\\bin2147483647 b\\u99999999999 c\\uc255\\u1 }".to_vec()),
        ("many fonts", Format::Rtf, (0..200_000).fold("{\\rtf1{\\fonttbl".to_owned(), |all, n| all + &format!("{{\\f{n}\\fcharset128 a;}}")).into_bytes()),
        ("deep messages", Format::Email, format!("{}Subject: last\n\ntext", "Content-Type: message/rfc822\n\n".repeat(50)).into_bytes()),
        ("very deep messages", Format::Email, "Content-Type: message/rfc822\n\n".repeat(200_000).into_bytes()),
        ("deep parts", Format::Email, (0..20_000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n")).collect::<String>().into_bytes()),
        ("many parts", Format::Email, format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\na\n".repeat(200_000)).into_bytes()),
        ("a bomb that is attached", Format::Email, [b"Content-Type: application/zip; name=a.docx\nContent-Transfer-Encoding: binary\n\n", docx(&vec![b' '; 97 << 20]).as_slice()].concat()),
        ("one line", Format::Mbox, [b"From a 2024\nSubject: a\n\n".as_slice(), &vec![b'x'; 90 << 20]].concat()),
        ("many messages", Format::Mbox, "From a 2024\nSubject: a\n\nb\n\n".repeat(500_000).into_bytes()),
        ("deep JSON", Format::Notebook, deep("{\"cells\":[", "]}")),
        ("many cells", Format::Notebook, format!("{{\"cells\":[{}{{}}]}}", "{\"source\":\"a\"},".repeat(500_000)).into_bytes()),
        ("many quotes", Format::Csv, "\"\"\"\n".repeat(3_000_000).into_bytes()),
        ("many cells", Format::Csv, ",;\t|".repeat(5_000_000).into_bytes()),
        ("many headings", Format::Org, "* a\n".repeat(1_000_000).into_bytes()),
        ("anchors", Format::Yaml, format!("a: &a [x]\n{}", "b: [*a, *a, *a]\n".repeat(100_000)).into_bytes()),
        ("deep HTML", Format::Html, deep("<div><blockquote>", "</div>")),
        ("many attributes", Format::Html, format!("<p {}>text", "a=1 b=2 ".repeat(200_000)).into_bytes()),
        ("deep quotes", Format::Markdown, deep("> ", "")),
        ("deep brackets", Format::Markdown, deep("[", "](x)")),
        ("deep emphasis", Format::Markdown, deep("*a _b ", "c_ d*")),
        ("deep JSON", Format::Json, deep("[", "]")),
        ("many titles", Format::Rst, "a\n==\n\n".repeat(100_000).into_bytes()),
        ("one line", Format::Text, "x".repeat(20 << 20).into_bytes()),
        ("newlines", Format::Text, "\n".repeat(10 << 20).into_bytes()),
        (
            "a loop of pages",
            Format::Pdf,
            pdf(&[CATALOGUE.into(), "<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 9 >>".into()]),
        ),
        ("a million pages", Format::Pdf, pdf(&[CATALOGUE.into(), "<< /Type /Pages /Kids [] /Count 1000000 >>".into()])),
        ("a bomb", Format::Pdf, page_with_bomb(97 << 20)),
        ("a deep tree of pages", Format::Pdf, deep_pages(20_000)),
        ("bookmarks in a circle", Format::Pdf, pdf(&["<< /Type /Catalog /Pages 2 0 R /Outlines 3 0 R >>".into(), "<< /Type /Pages /Kids [] /Count 0 >>".into(), "<< /First 4 0 R /Last 4 0 R >>".into(), "<< /Title (a) /Parent 3 0 R /First 4 0 R /Next 4 0 R >>".into()])),
        ("deep bookmarks", Format::Pdf, deep_bookmarks(20_000)),
        ("a page as large as the world", Format::Pdf, pdf(&[CATALOGUE.into(), "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".into(), "<< /Type /Page /Parent 2 0 R /MediaBox [-1e30 -1e30 1e30 1e30] /Contents 4 0 R >>".into(), "<< /Length 40 >>\nstream\nBT 1e30 0 0 1e30 1e30 -1e30 Tm (a) Tj ET   \nendstream".into()])),
        ("references in a circle", Format::Pdf, pdf(&[CATALOGUE.into(), "3 0 R".into(), "2 0 R".into()])),
        ("a form in itself", Format::Pdf, page_with("/X Do")),
        ("deep arrays", Format::Pdf, page_with(&"[".repeat(500_000))),
        ("many glyphs", Format::Pdf, page_with(&format!("BT /F 1 Tf {} ET", "(a) Tj ".repeat(20_000)))),
    ];
    for (name, format, bytes) in &crafted {
        let outcome = check(&pool, name, *format, bytes).await;
        println!("{}, {name}: {outcome}", format.as_str());
        check_good(&pool).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_and_a_broken_document_say_what_they_are() {
    let pool = pool(Duration::from_secs(30));
    let drawing = page_with("0 0 m 100 100 l S");
    let Err(ExtractError::Refused(refusal)) = read(&pool, Format::Pdf, &drawing).await else { panic!() };
    assert_eq!(refusal, Refusal::Scan { pages: 1 });
    let words = read(&pool, Format::Pdf, &page_with("BT /F 12 Tf 72 700 Td (Plain words) Tj ET")).await.unwrap();
    assert_eq!((words.text.as_str(), words.passages[0].place.page), ("Plain words", Some(1)));
    let page = |kids: &str, count: u32| format!("<< /Type /Pages /Kids [{kids}] /Count {count} >>");
    let content = "BT /F 12 Tf 72 700 Td (Plain words) Tj ET";
    let half = pdf(&[
        CATALOGUE.into(),
        page("3 0 R 4 0 R 6 0 R", 3),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>".into(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << /Font << /F << /Type /Font /Subtype /Type1 \
         /BaseFont /Helvetica >> >> >> >>"
            .into(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>".into(),
    ]);
    let half = read(&pool, Format::Pdf, &half).await.unwrap();
    assert_eq!((half.pages, half.empty_pages, half.which_empty), (Some(3), 2, vec![1, 3]));
    let behind_junk = [b"junk before\n".as_slice(), &page_with("BT /F 12 Tf 72 700 Td (Plain words) Tj ET")].concat();
    assert_eq!(read(&pool, Format::Pdf, &behind_junk).await.unwrap().text, "Plain words");
    let Err(ExtractError::Refused(refusal)) = read(&pool, Format::Docx, b"PK\x03\x04").await else { panic!() };
    assert!(matches!(refusal, Refusal::Damaged(_)), "{refusal}");
}
