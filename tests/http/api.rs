//! The API, health, metrics and the page.

use adit::http::Health;
use serde_json::json;
use tempfile::{TempDir, tempdir};

use crate::serving::{Answer, LAPTOP, READER, Server, fill, get, library};

const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";

fn served(documents: &[(&str, &str)]) -> (Server, TempDir) {
    let dir = tempdir().unwrap();
    let library = library(dir.path());
    fill(&library, dir.path(), documents);
    (Server::new(library, "[limits]\nrequests_burst = 100000\n"), dir)
}

#[tokio::test]
async fn the_api_answers_as_the_tools_do() {
    let (server, _dir) = served(&[("rent.txt", "Rent\n\nThe rent rises in March.\n"), ("tax.txt", "Tax\n")]);
    let found = server.get("/api/search?q=rent&collection=notes&limit=5&fuzzy=0").await;
    assert_eq!((found.status.as_u16(), found.header("content-type")), (200, "application/json"));
    let id = found.json()["results"][0]["id"].as_str().unwrap().to_owned();
    let read = server.get(&format!("/api/documents/{id}")).await.json();
    assert_eq!(read["metadata"]["path"], "rent.txt", "{read}");
    assert_eq!(server.get("/api/recent?limit=1").await.json()["documents"].as_array().unwrap().len(), 1);

    for (path, status, code) in [
        ("/api/search", 400, "argument"),
        ("/api/search?q=a&limit=99", 400, "argument"),
        ("/api/search?q=a&limit=x", 400, "argument"),
        ("/api/search?query=a", 400, "argument"),
        ("/api/search?q=%ff", 400, "malformed"),
        ("/api/documents/none", 404, "not_found"),
        ("/api/documents/..%2f..%2fetc%2fpasswd", 404, "not_found"),
        ("/api/documents/none/original", 404, "not_found"),
        ("/api/recent?limit=0", 400, "argument"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]["code"]),
            (status, &json!(code)),
            "{path}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn a_head_request_gets_the_header_of_the_answer_and_no_body() {
    let (server, _dir) = served(&[("rent.txt", "Rent\n")]);
    for path in ["/", "/metrics", "/_health", "/api/search?q=rent"] {
        let whole = server.get(path).await;
        let mut request = get(path);
        *request.method_mut() = http::Method::HEAD;
        let head = server.send(LAPTOP, request).await;
        assert_eq!((head.status, head.body.len()), (whole.status, 0), "{path}");
        assert_eq!(head.header("content-type"), whole.header("content-type"));
        assert!(head.header("content-length").parse::<usize>().unwrap() > 0);
    }
}

#[tokio::test]
async fn health_is_what_a_question_would_meet() {
    let (server, _dir) = served(&[("rent.txt", "Rent\n")]);
    let answer = server.get("/_health").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &json!("ok")), "{}", answer.text());
    assert_eq!((&answer.json()["documents"], &answer.json()["checks"]["index"]), (&json!(1), &json!(true)));
    *server.shell.health.lock() = Health { indexer: false, watcher: false, pending: 3 };
    let answer = server.get("/_health").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["status"], &answer.json()["pending"]),
        (503, &json!("failing"), &json!(3))
    );
}

#[tokio::test]
async fn metrics_name_routes_and_nothing_that_a_peer_wrote() {
    let (server, _dir) = served(&[("rent.txt", "Rent\n")]);
    server.get("/api/search?q=secretword").await;
    server.get("/api/documents/secretid").await;
    server.get("/secretpath").await;
    let answer = server.get("/metrics").await;
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    let text = answer.text();
    assert!(text.contains("adit_http_requests_total{route=\"/api/search\",status=\"200\"} 1\n"), "{text}");
    assert!(text.contains("adit_http_requests_total{route=\"/api/documents/{id}\",status=\"404\"} 1\n"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

fn assert_is_our_markup(answer: &Answer) {
    let text = answer.text();
    for evil in ["<script>alert", "<img", "onerror=alert(2)>", "\"'><"] {
        assert!(!text.contains(evil), "{evil} in {text}");
    }
    assert!(answer.header("content-type").starts_with("text/html"));
    assert!(answer.header("content-security-policy").contains("script-src 'self'"));
    assert!(!answer.header("content-security-policy").contains("unsafe"));
}

#[tokio::test]
async fn the_page_shows_what_was_found_and_opens_it_at_the_hit() {
    let filler = "Nothing to see.\n".repeat(2000);
    let text = format!("A letter\n\n{filler}\n\nThe rent rises in March.\n\n{filler}");
    let (server, _dir) = served(&[("letters/rent.txt", &text), ("tax.txt", "Tax\n")]);
    let start = server.get("/").await;
    assert_eq!(start.status, 200);
    assert!(start.text().contains("Recent documents") && start.text().contains("letters/rent.txt"), "{}", start.text());

    let found = server.get("/?q=rent+rises&collection=&type=text&after=&before=").await.text();
    assert!(found.contains("One document") && found.contains("<mark>rent</mark>"), "{found}");
    let link = found.split("class=\"open\" href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let (path, fragment) = link.split_once('#').unwrap();
    assert_eq!(fragment, "hit");
    let reader = server.get(path).await.text();
    let hit = reader.split("id=\"hit\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(hit.contains("The <mark>rent</mark> <mark>rises</mark> in March."), "{hit}");
    for part in ["Continue reading", "Earlier in this document", "/original\""] {
        assert!(reader.contains(part), "{part}");
    }

    assert!(server.get("/?q=zzzzqqqq").await.text().contains("Nothing found"));
    let wrong = server.get("/?q=a&after=soon").await;
    assert!(wrong.status == 400 && wrong.text().contains("modified_after: takes a day"), "{}", wrong.text());
    assert_eq!(server.get("/?document=none").await.status, 404);
}

#[tokio::test]
async fn nothing_that_anybody_wrote_becomes_markup() {
    let text = format!("{HOSTILE}\n\nword {HOSTILE} word\n");
    let path = format!("a{}.txt", HOSTILE.replace('/', ""));
    let (server, _dir) = served(&[(&path, &text)]);
    let hostile: String = HOSTILE.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let found = server.get("/?q=word").await;
    assert_is_our_markup(&found);
    assert!(found.text().contains("&lt;script&gt;"));
    let link = found
        .text()
        .split("class=\"open\" href=\"")
        .nth(1)
        .unwrap()
        .split(['"', '#'])
        .next()
        .unwrap()
        .replace("&amp;", "&");
    let reader = server.get(&link).await;
    assert_is_our_markup(&reader);
    assert!(reader.text().contains("&lt;script&gt;"));
    for path in [
        "/".to_owned(),
        format!("/?q={hostile}"),
        format!("/?q=word&collection={hostile}"),
        format!("/?document={hostile}"),
        format!("/?q=a&type={hostile}&after={hostile}"),
        format!("/?document=a&offset={hostile}&q={hostile}"),
    ] {
        assert_is_our_markup(&server.get(&path).await);
    }
}

#[tokio::test]
async fn the_page_is_small_and_loads_nothing_from_elsewhere() {
    let (server, _dir) = served(&[("rent.txt", "Rent\n")]);
    let page = server.get("/").await;
    let text = page.text();
    assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("//"), "{text}");
    assert!(!text.contains("<style") && !text.contains(" style=") && !text.contains(" onclick"));
    let mut total = page.body.len();
    for asset in text.split('"').filter(|part| part.starts_with("/assets/")) {
        let answer = server.get(asset).await;
        assert_eq!(answer.status, 200, "{asset}");
        assert!(
            answer.header("cache-control").contains("immutable")
                && answer.header("x-content-type-options") == "nosniff"
        );
        assert!(answer.body.len() > 100);
        total += answer.body.len();
    }
    assert!(total < 100 * 1024, "{total} bytes");
}

#[tokio::test]
async fn a_caller_that_may_only_search_gets_a_page_without_the_rest() {
    let (server, _dir) = served(&[("rent.txt", "Rent\n")]);
    let start = server.send(READER, get("/")).await;
    assert!(start.status == 200 && !start.text().contains("rent.txt"));
    let found = server.send(READER, get("/?q=rent")).await.text();
    assert!(found.contains("rent.txt"));
    let link =
        found.split("class=\"open\" href=\"").nth(1).unwrap().split(['"', '#']).next().unwrap().replace("&amp;", "&");
    assert_eq!(server.send(READER, get(&link)).await.status, 403);
}

#[tokio::test]
async fn a_page_that_is_switched_off_is_not_there() {
    let dir = tempdir().unwrap();
    let server = Server::new(library(dir.path()), "[page]\nenabled = false\n");
    assert_eq!(server.get("/").await.status, 404);
    assert_eq!(server.get("/api/search?q=a").await.status, 200);
}
