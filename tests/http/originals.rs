//! The file itself: whole, in parts, and in pieces that keep memory small.

use adit::access::audit::Verdict;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use rustix::fs::{Advice, fadvise};
use tempfile::{TempDir, tempdir};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::serving::{Answer, HOST, LAPTOP, Server, fill, library};

/// A server with one document, and the path of its original.
async fn served(path: &str, text: &str) -> (Server, TempDir, String) {
    let dir = tempdir().unwrap();
    let library = library(dir.path());
    fill(&library, dir.path(), &[(path, text)]);
    let server = Server::new(library, "[limits]\nrequests_burst = 100000\n");
    let id = server.get("/api/recent").await.json()["documents"][0]["id"].as_str().unwrap().to_owned();
    server.records(1).await;
    (server, dir, format!("/api/documents/{id}/original"))
}

async fn ask(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", HOST);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(LAPTOP, request.body(Full::<Bytes>::default()).unwrap()).await
}

#[tokio::test]
async fn an_original_is_an_attachment_that_runs_nowhere() {
    let (server, _dir, path) = served("letters/Größe 1.txt", "0123456789").await;
    let answer = server.get(&path).await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "0123456789"));
    assert_eq!(
        answer.header("content-disposition"),
        "attachment; filename=\"Gr__e 1.txt\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%201.txt"
    );
    assert_eq!(answer.header("content-security-policy"), "sandbox; default-src 'none'; frame-ancestors 'none'");
    assert_eq!(
        (answer.header("content-type"), answer.header("x-content-type-options")),
        ("application/octet-stream", "nosniff")
    );
    assert_eq!((answer.header("accept-ranges"), answer.header("content-length")), ("bytes", "10"));
    let head = ask(&server, Method::HEAD, &path, &[("range", "bytes=2-3")]).await;
    assert_eq!((head.status.as_u16(), head.body.len(), head.header("content-length")), (200, 0, "10"));
}

#[tokio::test]
async fn parts_of_an_original_are_served() {
    let (server, _dir, path) = served("a.txt", "0123456789").await;
    for (range, status, body, place) in [
        ("bytes=0-0", 206, "0", "bytes 0-0/10"),
        ("bytes=2-5", 206, "2345", "bytes 2-5/10"),
        ("bytes=7-", 206, "789", "bytes 7-9/10"),
        ("bytes=-2", 206, "89", "bytes 8-9/10"),
        ("bytes=0-99", 206, "0123456789", "bytes 0-9/10"),
        ("bytes=0-1,3-4", 200, "0123456789", ""),
        ("nonsense", 200, "0123456789", ""),
    ] {
        let answer = ask(&server, Method::GET, &path, &[("range", range)]).await;
        let seen = (answer.status.as_u16(), answer.text(), answer.header("content-range").to_owned());
        assert_eq!(seen, (status, body.to_owned(), place.to_owned()), "{range}");
    }
    for range in ["bytes=10-", "bytes=-0", "bytes=99-100"] {
        let answer = ask(&server, Method::GET, &path, &[("range", range)]).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-range")), (416, "bytes */10"), "{range}");
        assert_eq!(answer.json()["error"]["code"], "range");
    }
}

#[tokio::test]
async fn what_the_caller_has_already_is_not_sent_again() {
    let (server, dir, path) = served("a.txt", "0123456789").await;
    let first = server.get(&path).await;
    let (tag, date) = (first.header("etag").to_owned(), first.header("last-modified").to_owned());
    let listed = format!("\"x\", {tag}");
    let weak = format!("W/{tag}");
    for headers in [
        ("if-none-match", tag.as_str()),
        ("if-none-match", &listed),
        ("if-none-match", &weak),
        ("if-none-match", "*"),
        ("if-modified-since", &date),
    ] {
        let answer = ask(&server, Method::GET, &path, &[headers]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.len(), answer.header("etag")),
            (304, 0, tag.as_str()),
            "{headers:?}"
        );
    }
    for headers in [
        ("if-none-match", "\"x\""),
        ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("if-modified-since", "soon"),
    ] {
        assert_eq!(ask(&server, Method::GET, &path, &[headers]).await.status, 200, "{headers:?}");
    }
    for (version, status) in [(tag.as_str(), 206), (date.as_str(), 206), ("\"x\"", 200), (weak.as_str(), 200)] {
        let answer = ask(&server, Method::GET, &path, &[("range", "bytes=2-3"), ("if-range", version)]).await;
        assert_eq!(answer.status.as_u16(), status, "{version}");
    }
    std::fs::write(dir.path().join("notes/a.txt"), "changed").unwrap();
    let answer = ask(&server, Method::GET, &path, &[("if-none-match", &tag)]).await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "changed"));
}

#[tokio::test]
async fn a_large_original_arrives_whole_and_is_recorded() {
    let text: String = (0..200_000).map(|number| format!("{number:09}\n")).collect();
    let (server, dir, path) = served("large.txt", &text).await;
    let answer = server.get(&path).await;
    assert!(answer.text() == text, "{} bytes", answer.body.len());
    // Now from the disk, where there is one: the kernel forgets the file.
    let file = std::fs::File::open(dir.path().join("notes/large.txt")).unwrap();
    file.sync_all().unwrap();
    fadvise(&file, 0, None, Advice::DontNeed).unwrap();
    let part = ask(&server, Method::GET, &path, &[("range", "bytes=300001-1300000")]).await;
    assert!(part.text() == text[300_001..1_300_001]);
    let records = server.records(2).await;
    assert_eq!((records[0].bytes, records[0].verdict), (2_000_000, Verdict::Served));
    assert_eq!(records[0].note.documents, ["notes/large.txt"]);
    assert_eq!((records[1].bytes, records[1].status), (1_000_000, 206));
}

#[tokio::test]
async fn nothing_is_read_for_a_peer_that_does_not_take_it() {
    let text = "0123456789abcdef".repeat(256 * 1024);
    let (server, _dir, path) = served("large.txt", &text).await;
    let mut stream = server.connect(LAPTOP);
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {HOST}\r\n\r\n").as_bytes()).await.unwrap();
    let mut piece = [0; 1000];
    stream.read_exact(&mut piece).await.unwrap();
    drop(stream);
    let records = server.records(1).await;
    assert_eq!(records[0].verdict, Verdict::Abandoned);
    assert!(records[0].bytes <= 1024 * 1024, "{} bytes were handed over", records[0].bytes);
}

#[tokio::test]
async fn a_download_ends_when_its_grant_does() {
    let text = "0123456789abcdef".repeat(256 * 1024);
    let (server, _dir, path) = served("large.txt", &text).await;
    let mut stream = server.connect(LAPTOP);
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {HOST}\r\n\r\n").as_bytes()).await.unwrap();
    let mut piece = [0; 1000];
    stream.read_exact(&mut piece).await.unwrap();
    server.appliance.policy.store(Default::default());
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.len() < 2 * 1024 * 1024, "{} bytes came", rest.len());
    assert_eq!(server.records(1).await[0].verdict, Verdict::Abandoned);
}

#[tokio::test]
async fn a_file_that_shrinks_ends_its_connection_and_not_the_server() {
    let text = "0123456789abcdef".repeat(256 * 1024);
    let (server, dir, path) = served("large.txt", &text).await;
    let mut stream = server.connect(LAPTOP);
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {HOST}\r\n\r\n").as_bytes()).await.unwrap();
    let mut piece = [0; 1000];
    stream.read_exact(&mut piece).await.unwrap();
    std::fs::File::options().write(true).open(dir.path().join("notes/large.txt")).unwrap().set_len(10).unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.len() < text.len());
    assert_eq!(server.get("/metrics").await.status, 200);
}

#[tokio::test]
async fn a_link_out_of_the_collection_is_not_followed() {
    let (server, dir, path) = served("a.txt", "0123456789").await;
    let file = dir.path().join("notes/a.txt");
    std::fs::write(dir.path().join("secret"), "secret").unwrap();
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(dir.path().join("secret"), &file).unwrap();
    let answer = server.get(&path).await;
    assert!(answer.status.as_u16() >= 400 && !answer.text().contains("secret"), "{}", answer.text());
}
