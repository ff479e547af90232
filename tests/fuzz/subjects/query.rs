//! What people type, asked of a small library.

use std::collections::HashSet;
use std::sync::OnceLock;

use adit::access::Scope;
use adit::documents::{Extracted, Format, Passage, Place, Stamp};
use adit::search::{Answer, Collection, Hit, Library, LibraryConfig, SearchRequest};

/// Asks a small library. Whatever is typed, there is an answer.
pub(super) fn ask(query: &str) {
    static LIBRARY: OnceLock<(tempfile::TempDir, Library)> = OnceLock::new();
    let (_, library) = LIBRARY.get_or_init(small_library);
    let request = SearchRequest {
        query: query.to_owned(),
        limit: 10,
        snippet_budget: 2000,
        fuzzy: query.len().is_multiple_of(2),
        ..SearchRequest::default()
    };
    let answer = library.search(&Scope::owner(), &request).expect("nothing that is typed is an error");
    assert!(answer.total_is_exact, "so few are counted exactly");
    assert_eq!(answer.results.len() as u64, answer.total, "what is counted is found: {answer:?}");
    let paths: HashSet<&str> = answer.results.iter().map(|hit| hit.path.as_str()).collect();
    assert_eq!(paths.len(), answer.results.len(), "every document is found once");
    assert!(answer.next.is_none(), "there are no more");
    let in_order = |two: &[Hit]| match (two[0].fuzzy, two[1].fuzzy) {
        (false, true) => true,
        (true, false) => false,
        _ => two[0].score >= two[1].score,
    };
    assert!(answer.results.windows(2).all(in_order), "the best come first: {answer:?}");
    for hit in &answer.results {
        let marks = hit.highlights.iter().all(|&(start, end)| start < end && hit.snippet.get(start..end).is_some());
        assert!(
            marks && hit.highlights.windows(2).all(|two| two[0].1 <= two[1].0),
            "marks are of the snippet: {hit:?}"
        );
    }
    assert!(answer.unused.len() <= adit::limits::QUERY_UNUSED + 4, "{:?}", answer.unused);
    one_by_one(library, &request, &answer);
}

/// Paging through the same answer brings the same, in the same order.
fn one_by_one(library: &Library, request: &SearchRequest, answer: &Answer) {
    let mut after = None;
    for hit in &answer.results {
        let request = SearchRequest { limit: 1, after, ..request.clone() };
        let page = library.search(&Scope::owner(), &request).expect("it is the same question");
        assert_eq!(
            page.results.iter().map(|hit| &hit.path).collect::<Vec<_>>(),
            [&hit.path],
            "pages follow each other"
        );
        after = page.next;
    }
    assert!(after.is_none(), "and end");
}

fn small_library() -> (tempfile::TempDir, Library) {
    let dir = tempfile::tempdir().expect("a folder");
    let library = Library::open(LibraryConfig {
        index_dir: dir.path().join("index"),
        collections: vec![Collection { name: "notes".parse().expect("a name"), root: dir.path().to_owned() }],
        memory: 15_000_000,
        threads: 1,
    })
    .expect("it opens");
    let mut writer = library.writer(&"notes".parse().expect("a name")).expect("nobody else writes");
    let texts = [
        "heat pump filter valve",
        "sourdough bread and butter in the slow cooker",
        "naïve 検索エンジン words",
        "a b c d e",
    ];
    for (number, text) in texts.into_iter().enumerate() {
        let passage = Passage { start: 0, end: text.len(), place: Place { line: Some(1), ..Place::default() } };
        let extracted = Extracted { text: text.to_owned(), passages: vec![passage], ..Extracted::default() };
        let stamp = Stamp { size: text.len() as u64, modified_ns: number as i128, inode: number as u64 };
        writer.put(&format!("house/{number}.pdf"), Format::Pdf, stamp, &extracted).expect("it is put");
    }
    writer.commit().expect("it is committed");
    drop(writer);
    (dir, library)
}
