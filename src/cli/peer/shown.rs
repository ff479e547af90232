//! Devices as a person or a program reads them.

use std::path::Path;

use serde_json::json;

use super::super::outcome::{Error, Exit, Outcome, io_failed};
use super::super::places::{self, ask_or_offline};
use super::super::status::{handshake, peer_lines};
use super::super::style::Style;
use super::super::terminal::{print, print_json, say};
use super::super::units::{harmless, table};
use super::super::when;
use super::super::why::{in_no_collection, meant, words};
use crate::config::Places;
use crate::control::{PeerReport, Request, Response, Sight, Standing, WhyState};
use crate::name::PeerName;

pub(super) fn list(peers: &[PeerReport], json: bool) -> Result<(), Error> {
    if json {
        return print_json(&json!({ "peers": peers }));
    }
    if peers.is_empty() {
        say("no device yet: adit peer add NAME --qr");
        return Ok(());
    }
    let heading = ["NAME", "ADDRESS", "LATEST HANDSHAKE", "COLLECTIONS"].map(str::to_owned).to_vec();
    let row = |peer: &PeerReport| {
        let address = peer.addresses.first().map(|address| address.to_string()).unwrap_or_default();
        vec![
            peer.name.to_string(),
            address,
            standing(peer).unwrap_or_else(|| handshake(peer)),
            peer.collections.join(", "),
        ]
    };
    let rows: Vec<_> = std::iter::once(heading).chain(peers.iter().map(row)).collect();
    print(&table(&rows))
}

pub(super) fn show(peer: &PeerReport, json: bool) -> Result<(), Error> {
    if json {
        return print_json(peer);
    }
    let style = Style::of_stdout();
    let key = if peer.preshared_key { ", with a preshared key" } else { "" };
    let created = peer.created.strftime("%Y-%m-%d %H:%M UTC");
    print(&format!(
        "{}: {}\n{}  public key: {}{key}\n  added: {created}\n",
        style.strong("peer"),
        peer.name,
        peer_lines(peer),
        peer.public_key,
    ))
}

/// Why a device is not served, in a few words; none if it is.
pub fn standing(peer: &PeerReport) -> Option<String> {
    match peer.standing {
        Standing::Served => None,
        other => Some(why_not(peer, other)),
    }
}

/// The same as the end of a sentence.
pub(super) fn why_not(peer: &PeerReport, standing: Standing) -> String {
    let at = |time: Option<jiff::Timestamp>| time.map(when::shown).unwrap_or_default();
    match standing {
        Standing::Served => "served".to_owned(),
        Standing::Disabled => "disabled".to_owned(),
        Standing::LockedOut => "locked out".to_owned(),
        Standing::NotYet => format!("not before {}", at(peer.not_before)),
        Standing::Expired => format!("expired {}", at(peer.expires)),
    }
}

pub(super) fn explain(places: &Places, name: PeerName, path: &Path, json: bool) -> Outcome {
    let typed = path.to_string_lossy().into_owned();
    let paths = meant(path).map_err(io_failed("the working directory"))?;
    let (peer, sights, collections) = match ask_or_offline(places, &Request::PeerExplain { name, typed, paths })? {
        Response::Explained { peer, places, collections } => (peer, places, collections),
        other => return Err(places::unexpected(&other)),
    };
    let sees = |sight: &Sight| peer.standing == Standing::Served && sight.admitted && !peer.scopes.is_empty();
    if json {
        let results = sights.iter().map(|sight| {
            let mut value = serde_json::to_value(sight)?;
            value["sees"] = (sees(sight) && sight.place.state == WhyState::Searchable).into();
            Ok(value)
        });
        let results = results.collect::<serde_json::Result<Vec<_>>>().map_err(Error::failed)?;
        print_json(&json!({ "peer": peer, "results": results }))?;
    } else {
        print(&sights.iter().map(|sight| explained(&peer, sight, Style::of_stdout())).collect::<Vec<_>>().join("\n"))?;
    }
    if sights.is_empty() {
        return Err(in_no_collection(path, &collections));
    }
    Ok(Exit::Done)
}

/// Whether a device sees a path, and everything that has a part in it.
fn explained(peer: &PeerReport, sight: &Sight, style: Style) -> String {
    let place = &sight.place;
    let path = format!("{}/{}", place.collection, place.path);
    let is_there = matches!(place.state, WhyState::Searchable | WhyState::Folder);
    let served = peer.standing == Standing::Served;
    let verdict = match sight.admitted && served && is_there && !peer.scopes.is_empty() {
        true => "sees",
        false => "does not see",
    };
    let mut text = format!("{} {verdict} {}\n", peer.name, style.file(&harmless(path.trim_end_matches('/'))));
    let mut field = |name: &str, value: String| text.push_str(&format!("  {name}: {value}\n"));
    field(
        "grant",
        match (&sight.rule, sight.admitted) {
            (Some(rule), true) => format!("\"{rule}\" admits it"),
            (Some(rule), false) => format!("\"{rule}\" denies it"),
            (None, _) => format!("no rule covers it (it has: {})", peer.collections.join(", ")),
        },
    );
    field("may", if peer.scopes.is_empty() { "nothing".to_owned() } else { peer.scopes.join(", ") });
    if !served {
        field("device", why_not(peer, peer.standing));
    }
    field("document", words(place.state).to_owned());
    if !place.reason.is_empty() {
        field("why", harmless(&place.reason).replace('\n', " "));
    }
    text
}
