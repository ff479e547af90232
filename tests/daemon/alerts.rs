//! The alert rules: every metric and every label in `docs/alerts.yml` is a live one, and every action a command of the program. And the labels
//! of the metrics themselves: none is anything that a device or a stranger chose.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use adit::http::ROUTES;
use serde_json::json;

use crate::appliance::{Appliance, wait_until};

/// What may stand in an expression besides metrics, labels and numbers (Prometheus: operators, functions).
const WORDS: [&str; 9] = ["absent", "and", "changes", "increase", "max", "or", "rate", "time", "unless"];

/// The series of a name: label sets, as the text format has them.
type Series = BTreeMap<String, Vec<BTreeMap<String, String>>>;

/// Prometheus's text format, of which the values are not needed.
fn series(text: &str) -> Series {
    let mut series = Series::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (what, value) = line.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap_or_else(|_| panic!("{line}"));
        let (name, labels) = what.split_once('{').unwrap_or((what, "}"));
        let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"));
        let pairs = labels.split("\",").filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (label, value) = pair.trim_end_matches('"').split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            (label.to_owned(), value.to_owned())
        };
        series.entry(name.to_owned()).or_default().push(pairs.map(pair).collect());
    }
    series
}

/// A word, a text, a number with its unit, or a sign.
#[derive(Debug, Clone, PartialEq)]
enum Token<'a> {
    Word(&'a str),
    Text(&'a str),
    Number(&'a str),
    Sign(char),
}

/// The tokens of an expression. Anything that is none fails: what is not understood is not checked.
fn tokens(expression: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let run = |is: fn(char) -> bool| rest.find(|it| !is(it)).unwrap_or(rest.len());
        let (token, length) = match first {
            ' ' => (None, 1),
            '"' => {
                let end = rest[1..].find('"').unwrap_or_else(|| panic!("an open text: {rest}"));
                (Some(Token::Text(&rest[1..=end])), end + 2)
            }
            'a'..='z' | '_' => {
                let length = run(|it| it.is_ascii_alphanumeric() || it == '_');
                (Some(Token::Word(&rest[..length])), length)
            }
            '0'..='9' => {
                let length = run(|it| it.is_ascii_alphanumeric() || it == '.');
                (Some(Token::Number(&rest[..length])), length)
            }
            '{' | '}' | '(' | ')' | '[' | ']' | '<' | '>' | '=' | '~' | '!' | '-' | '/' | '*' | '+' | ',' => {
                (Some(Token::Sign(first)), 1)
            }
            other => panic!("{other:?} in {expression}"),
        };
        tokens.extend(token);
        rest = &rest[length..];
    }
    tokens
}

/// Checks the label matchers of a metric, from after its brace on; how many tokens they take, the closing brace among them.
fn check_labels(expression: &str, labels: &[BTreeMap<String, String>], tokens: &[Token<'_>]) -> usize {
    let end = tokens.iter().position(|it| *it == Token::Sign('}')).expect("a closing brace");
    for matcher in tokens[..end].split(|it| *it == Token::Sign(',')) {
        let (label, is_pattern, wanted) = match matcher {
            [Token::Word(label), Token::Sign('='), Token::Text(text)] => (*label, false, *text),
            [Token::Word(label), Token::Sign('='), Token::Sign('~'), Token::Text(text)] => (*label, true, *text),
            other => panic!("{expression}: {other:?} is no matcher"),
        };
        let live: BTreeSet<&str> = labels.iter().filter_map(|it| it.get(label)).map(String::as_str).collect();
        assert!(!live.is_empty(), "{expression}: no series has the label {label}");
        for wanted in wanted.split('|') {
            // The one pattern that is used: any status of a class.
            let class = wanted.strip_suffix("..").filter(|_| is_pattern && label == "status");
            let is_live = class.map_or(live.contains(wanted), |class| matches!(class, "2" | "4" | "5"));
            assert!(is_live, "{expression}: {label} is never {wanted}; it is one of {live:?}");
        }
    }
    end + 1
}

/// Checks that every word of an expression is Prometheus's or a live metric, with live labels.
fn check(expression: &str, live: &Series) {
    let tokens = tokens(expression);
    let (mut at, mut metrics) = (0, 0);
    while at < tokens.len() {
        let token = &tokens[at];
        at += 1;
        match token {
            Token::Word(word) if WORDS.contains(word) => {}
            Token::Word(word) => {
                metrics += 1;
                let labels = live.get(*word).unwrap_or_else(|| panic!("{expression}: there is no metric {word}"));
                if tokens.get(at) == Some(&Token::Sign('{')) {
                    at += 1 + check_labels(expression, labels, &tokens[at + 1..]);
                }
            }
            Token::Text(text) => panic!("{expression}: {text:?} stands alone"),
            Token::Number(number) => {
                let digits = number.trim_end_matches(['s', 'm', 'h', 'd']);
                assert!(digits.parse::<f64>().is_ok(), "{expression}: {number}");
            }
            Token::Sign(_) => {}
        }
    }
    assert!(metrics > 0, "{expression} is about nothing");
}

/// An appliance of which every metric is there: a device that has asked, one that ends, one that was cut off.
fn lively() -> Appliance {
    let appliance = Appliance::serving();
    let conf = appliance.device("phone", &["--expires", "30d"]);
    let mut agent = appliance.agent(&conf);
    assert_eq!(agent.total("kettle"), 1);
    appliance
}

#[test]
fn every_alert_is_about_live_metrics_and_names_a_command_that_is_there() {
    let rules = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/alerts.yml")).unwrap();
    let appliance = lively();
    let live = wait_until("the call is counted", || {
        let live = series(&appliance.adit(&["metrics"]));
        live.contains_key("adit_http_requests_total").then_some(live)
    });
    let values = |key: &str| {
        let prefix = format!("{key}: ");
        rules
            .lines()
            .filter_map(move |line| line.trim_start_matches([' ', '-']).strip_prefix(&prefix).map(str::to_owned))
    };
    let (names, expressions): (BTreeSet<String>, Vec<String>) = (values("alert").collect(), values("expr").collect());
    assert!(
        names.len() >= 18 && names.len() == expressions.len(),
        "an alert without an expression, or two of one name"
    );
    assert_eq!([values("summary").count(), values("action").count()], [names.len(); 2]);
    expressions.iter().for_each(|expression| check(expression, &live));
    for action in values("action") {
        let words: Vec<&str> = action.strip_prefix("adit ").unwrap().split(' ').collect();
        let verbs = words.iter().take_while(|word| !word.starts_with('-')).copied();
        let help = appliance.adit(&verbs.chain(["--help"]).collect::<Vec<_>>());
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(flag), "{action}: {help}");
        }
    }
}

#[test]
#[should_panic(expected = "there is no metric adit_no_such")]
fn a_rule_about_a_metric_that_is_not_there_fails() {
    check("rate(adit_no_such[5m]) > 0", &series("adit_is 1\n"));
}

#[test]
#[should_panic(expected = "reason is never none_such")]
fn a_rule_about_a_label_that_is_not_there_fails() {
    check("adit_is{reason=~\"any|none_such\"} > 0", &series("adit_is{reason=\"any\"} 1\n"));
}

#[test]
fn labels_are_names_of_ours_whatever_is_asked() {
    let appliance = lively();
    let conf = appliance.device("odd", &[]);
    let mut agent = appliance.agent(&conf);
    for number in 0..50 {
        agent.ask(&format!("no/such/method-{number}"), json!({}));
        agent.ask("tools/call", json!({"name": format!("no_such_tool_{number}"), "arguments": {}}));
        agent.ask("tools/call", json!({"name": "search", "arguments": {"query": format!("xx{number}"), "collection": format!("no{number}")}}));
    }
    appliance.adit(&["peer", "revoke", "odd"]);
    let live = series(&appliance.adit(&["metrics"]));
    assert!(live.values().map(Vec::len).sum::<usize>() < 200, "{live:?}");
    for (name, sets) in live {
        assert_eq!(sets.iter().collect::<BTreeSet<_>>().len(), sets.len(), "{name} has a series twice");
        for (label, value) in sets.into_iter().flatten() {
            let is_ours = match label.as_str() {
                "route" => value == "none" || ROUTES.contains(&value.as_str()),
                "status" => value.len() == 3 && value.parse::<u16>().is_ok(),
                "what" | "reason" => value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "peer" => value == "phone",
                "collection" => ["papers", "private"].contains(&value.as_str()),
                "version" => value == env!("CARGO_PKG_VERSION"),
                _ => false,
            };
            assert!(is_ours, "{name}: {label}={value}");
        }
    }
}

#[test]
fn knocks_and_limits_show_in_the_metrics() {
    let appliance = Appliance::serving();
    let confs = ["thief", "greedy"].map(|name| appliance.device(name, &[]));
    let mut agents = confs.each_ref().map(|conf| appliance.agent(conf));
    agents.iter_mut().for_each(|agent| assert_eq!(agent.total("kettle"), 1));
    let value = |series: &str| {
        let text = appliance.adit(&["metrics"]);
        let line =
            text.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("{series}: {text}"));
        line.trim().parse::<f64>().unwrap()
    };
    assert_eq!(value("adit_refused_total{reason=\"revoked_key\"}"), 0.0);
    appliance.adit(&["peer", "revoke", "thief"]);
    let [mut thief, mut greedy] = agents;
    thief.ask("tools/list", json!({}));
    // More than the burst, and than the rate: the bridge waits and asks again, as it is told to.
    (0..60).for_each(|_| assert_eq!(greedy.total("kettle"), 1));
    assert!(value("adit_peer_limited_total{peer=\"greedy\"}") > 0.0);
    let knocked = || (value("adit_refused_total{reason=\"revoked_key\"}") > 0.0).then_some(());
    // Summed over a minute.
    std::thread::sleep(std::time::Duration::from_secs(30));
    wait_until("the knocks are counted", knocked);
}
