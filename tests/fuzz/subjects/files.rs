//! Texts that people write, as the program reads them: what was read is written so that the same is read again.

use std::path::Path;

use adit::access::{Action, Extent, Grant, Policy};
use adit::config::wireguard::DeviceConfig;
use adit::config::{Config, Places, with_collection, without_collection};
use adit::name::CollectionName;
use adit::peer::PeerId;

/// Bytes of a grant that are tried.
const GRANT: usize = 1 << 10;

fn places() -> Places {
    Places::beside("/srv/adit/adit.toml".as_ref()).expect("the path is absolute")
}

/// An `adit.toml`.
pub(super) fn configuration(text: &str) {
    let read = Config::parse(text, &places());
    match &read {
        Ok(config) => {
            let again = Config::parse(&config.to_toml(), &places());
            assert_eq!(again.as_ref(), Ok(config), "what is written is read as the same");
        }
        Err(errors) => {
            assert!(!errors.is_empty(), "a text that is refused has something wrong with it");
            let lines = text.split('\n').count();
            let is_one = |message: &str| !message.is_empty() && !message.contains('\n');
            assert!(errors.iter().all(|error| (1..=lines).contains(&error.line) && error.column > 0), "{errors:?}");
            assert!(errors.iter().all(|error| is_one(&error.message)), "{errors:?}");
        }
    }
    let name: CollectionName = "added-by-adit".parse().expect("a name");
    let Ok(more) = with_collection(text, &name, Path::new("/added-by-adit")) else { return };
    let Ok(config) = read else { return };
    if config.collections.iter().any(|known| known.name == name || known.path.starts_with("/added-by-adit")) {
        return;
    }
    match Config::parse(&more, &places()) {
        Ok(edited) => {
            let (added, others) = edited.collections.split_last().expect("one more");
            assert_eq!((&added.name, &*added.path), (&name, Path::new("/added-by-adit")));
            assert_eq!(others, config.collections, "the others are as they were");
        }
        // A folder within another is refused, and who has the whole disk has this one too.
        Err(errors) => assert!(config.collections.iter().any(|known| known.path == Path::new("/")), "{errors:?}"),
    }
    let less = without_collection(&more, &name).expect("it is there");
    assert_eq!(Config::parse(&less, &places()), Ok(config), "what was added and taken away leaves nothing");
}

/// The configuration of a device.
pub(super) fn device(text: &str) {
    match text.parse::<DeviceConfig>() {
        Ok(config) => {
            let written = config.render();
            let again: DeviceConfig = written.parse().expect("what is written is read");
            assert_eq!(*again.render(), *written, "as the same");
            assert!(!config.addresses.is_empty() && !config.server_addresses.is_empty());
        }
        Err(error) => {
            assert!(error.line.is_none_or(|line| (1..=text.lines().count()).contains(&line)));
            let said = error.to_string();
            assert!(!said.contains('\n'), "{said:?}");
        }
    }
}

/// The rules of a grant, one in a line, and what they let be seen.
pub(super) fn grant(text: &str) {
    let text = &text[..text.floor_char_boundary(GRANT)];
    let Ok(grant) = Grant::new(text.lines(), Action::ALL) else { return };
    assert_eq!(
        Grant::new(grant.collections(), Action::ALL).as_ref(),
        Ok(&grant),
        "what is written is read as the same"
    );
    let peer = PeerId::new(1);
    let scope = Policy::new(1, [(peer, grant.clone())]).scope(peer).expect("it has a grant");
    // Names and paths that the rules themselves speak of, and others.
    let parts: Vec<&str> = text.split(['\n', '/', '!']).filter(|part| !part.is_empty()).take(6).collect();
    let paths: Vec<String> = parts.iter().flat_map(|a| parts.iter().map(move |b| format!("{a}/{b}"))).collect();
    let names = parts.iter().filter_map(|part| part.parse::<CollectionName>().ok());
    for name in names.chain(["notes".parse().expect("a name")]) {
        let extent = scope.extent(&name);
        assert_eq!(scope.admits(&name), extent != Extent::Nothing);
        for path in paths.iter().map(String::as_str).chain(["", "a.md", "a/b/c/d.md"]) {
            let is_admitted = scope.admits_path(&name, path);
            assert_eq!(is_admitted, grant.deciding(&name, path).is_some_and(|rule| !rule.denies()));
            match extent {
                Extent::Whole => assert!(is_admitted, "of all nothing is kept back"),
                Extent::Nothing => assert!(!is_admitted, "of nothing there is nothing to be seen"),
                Extent::Part => {}
            }
        }
        let denied = [format!("!{name}"), format!("!{name}/a.md")];
        let stricter = grant.collections().map(str::to_owned).chain(denied);
        if let Ok(stricter) = Grant::new(stricter, Action::ALL) {
            let scope = Policy::new(1, [(peer, stricter)]).scope(peer).expect("it has a grant");
            assert!(!scope.admits_path(&name, ""), "among equals a denial decides");
        }
    }
}

/// Texts worth changing.
pub(super) fn configurations(library: &Path) -> Vec<Vec<u8>> {
    let reference = library.join("../../src/config/file/reference.toml");
    let small = "version = 1\n[server]\nendpoint = \"a.example:1\"\ntunnel = [\"10.94.7.1/24\"]\ndial = [\"home=192.0.2.1:5\"]\n\
                 [[collection]]\nname = \"a\"\npath = \"x\" # why\n\n[[collection]]\nname = \"b\"\npath = \"~/y\"\nexclude = [\"*.tmp\"]\n";
    vec![std::fs::read(reference).expect("it can be read"), small.into()]
}

/// Texts worth changing.
pub(super) fn devices() -> Vec<Vec<u8>> {
    let key = |letter: &str| format!("{}=", letter.repeat(42) + "E");
    let standard = format!(
        "[Interface]\nPrivateKey = {}\nAddress = 10.94.7.2/32, fd7a::2/128\nMTU = 1280\nDNS = 1.1.1.1\n\n[Peer]\nPublicKey = {}\n\
         PresharedKey = {}\nAllowedIPs = 10.94.7.1/32, fd7a::1/128, 10.0.0.0/8\nEndpoint = home.example.org:51820\n\
         PersistentKeepalive = 25\n",
        key("a"),
        key("b"),
        key("c")
    );
    let other = standard.replace("home.example.org", "[fe80::1%eth0]").replace("= 25", "= off # no").to_lowercase();
    vec![standard.into(), other.into()]
}

/// Texts worth changing.
pub(super) fn grants() -> Vec<Vec<u8>> {
    let texts = [
        "*",
        "notes\nwork-*\n!secret",
        "work\n!work/private\nwork/private/shared\n!work/*/drafts",
        "a[bc]/{x,y}?\n!\\*",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
