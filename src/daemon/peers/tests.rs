use std::fs;

use super::*;
use crate::control::When;
use crate::key::PrivateKey;

fn networks() -> Vec<TunnelNetwork> {
    vec![
        TunnelNetwork { address: "10.9.8.1".parse().unwrap(), prefix: 29 },
        TunnelNetwork { address: "fd00:1::1".parse().unwrap(), prefix: 64 },
    ]
}

fn new_peer(name: &str, seed: u8) -> NewPeer {
    NewPeer { name: name.parse().unwrap(), keys: keys(seed), terms: Terms::default() }
}

fn keys(seed: u8) -> DeviceKeys {
    DeviceKeys {
        public_key: PrivateKey::from_entropy([seed; 32]).public().to_string(),
        preshared_key: Some(PresharedKey::from_entropy([seed; 32]).to_base64().to_string()),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn server() -> PublicKey {
    PrivateKey::from_entropy([255; 32]).public()
}

fn add(peers: &mut Peers, new: &NewPeer) -> Result<Peer, PeersError> {
    let defaults = Defaults { collections: vec!["documents".into()], scopes: vec!["search".into()] };
    peers.add(Timestamp::UNIX_EPOCH, new, server(), &networks(), &defaults).cloned()
}

#[test]
fn devices_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut peers = Peers::load(dir.path()).unwrap();
    let phone = add(&mut peers, &new_peer("phone", 1)).unwrap();
    assert_eq!(phone.addresses, ["10.9.8.2".parse::<IpAddr>().unwrap(), "fd00:1::2".parse().unwrap()]);
    let change = Terms { collections: Some(vec!["*".into()]), ..Terms::default() };
    peers.set(&phone.name, &change).unwrap();

    let again = Peers::load(dir.path()).unwrap();
    let (found, kept) = (again.find(&phone.name).unwrap(), peers.find(&phone.name).unwrap());
    assert_eq!((found.public_key, &found.grant), (kept.public_key, &kept.grant));
    assert_eq!(words(&found.grant), (vec!["*".to_owned()], vec!["search".to_owned()]));
    assert!(found.preshared_key == kept.preshared_key);
}

#[test]
fn a_revoked_key_never_returns() {
    let dir = tempfile::tempdir().unwrap();
    let mut peers = Peers::load(dir.path()).unwrap();
    let phone = add(&mut peers, &new_peer("phone", 1)).unwrap();
    peers.revoke(Timestamp::UNIX_EPOCH, &phone.name).unwrap();
    assert!(matches!(peers.find(&phone.name), Err(PeersError::NoSuchPeer(_))));
    let mut again = Peers::load(dir.path()).unwrap();
    for peers in [&mut peers, &mut again] {
        assert!(matches!(add(peers, &new_peer("other", 1)), Err(PeersError::KeyRevoked(_))));
    }
    // The name and the addresses may be had again, with another key.
    let next = add(&mut peers, &new_peer("phone", 2)).unwrap();
    assert_eq!(next.addresses, phone.addresses);
    assert_ne!(next.id, phone.id);
}

#[test]
fn names_keys_and_addresses_are_unique() {
    let dir = tempfile::tempdir().unwrap();
    let mut peers = Peers::load(dir.path()).unwrap();
    add(&mut peers, &new_peer("a", 1)).unwrap();
    assert!(matches!(add(&mut peers, &new_peer("a", 2)), Err(PeersError::NameTaken(_))));
    assert!(matches!(add(&mut peers, &new_peer("b", 1)), Err(PeersError::KeyTaken(_))));
    assert!(matches!(add(&mut peers, &new_peer("b", 255)), Err(PeersError::KeyIsServers)));
    // A /29 has six hosts, one of them the server.
    for seed in 3..7 {
        add(&mut peers, &new_peer(&format!("p{seed}"), seed)).unwrap();
    }
    assert!(matches!(add(&mut peers, &new_peer("late", 9)), Err(PeersError::NoAddress(_))));
}

#[test]
fn a_damaged_list_is_named_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    for text in ["version = 1\n[[peer]]\nname = \"x\"", "not toml at all", "version = 1\nfoo = 2"] {
        fs::write(&path, text).unwrap();
        assert!(matches!(Peers::load(dir.path()), Err(PeersError::Damaged { .. })), "{text}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn what_cannot_be_written_is_not_done() {
    let dir = tempfile::tempdir().unwrap();
    let mut peers = Peers::load(dir.path()).unwrap();
    fs::remove_dir(dir.path()).unwrap();
    assert!(matches!(add(&mut peers, &new_peer("a", 1)), Err(PeersError::Io { .. })));
    assert_eq!(peers.iter().count(), 0);
}

#[test]
fn a_rotated_device_keeps_everything_but_its_keys() {
    let dir = tempfile::tempdir().unwrap();
    let mut peers = Peers::load(dir.path()).unwrap();
    let phone = add(&mut peers, &new_peer("phone", 1)).unwrap();
    let rotated = peers.rotate(at(5), &phone.name, &keys(2), server()).unwrap().clone();
    assert_eq!((&rotated.addresses, &rotated.grant, rotated.created), (&phone.addresses, &phone.grant, phone.created));
    assert!(rotated.public_key != phone.public_key && rotated.preshared_key != phone.preshared_key);
    assert_ne!(rotated.id, phone.id, "nothing of the old session may pass for the new one's");
    let mut again = Peers::load(dir.path()).unwrap();
    for peers in [&mut peers, &mut again] {
        assert!(matches!(add(peers, &new_peer("other", 1)), Err(PeersError::KeyRevoked(time)) if time == at(5)));
        assert!(matches!(peers.rotate(at(6), &phone.name, &keys(1), server()), Err(PeersError::KeyRevoked(_))));
        assert!(matches!(peers.rotate(at(6), &phone.name, &keys(2), server()), Err(PeersError::KeyTaken(_))));
    }
}

#[test]
fn a_renamed_device_stays_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut peers = Peers::load(dir.path()).unwrap();
    let (one, two) = (add(&mut peers, &new_peer("one", 1)).unwrap(), add(&mut peers, &new_peer("two", 2)).unwrap());
    peers.lock(at(1), std::slice::from_ref(&one.name)).unwrap();
    assert!(matches!(peers.rename(&one.name, &two.name), Err(PeersError::NameTaken(_))));
    let zebra: PeerName = "zebra".parse().unwrap();
    assert_eq!(peers.rename(&one.name, &zebra).unwrap().id, one.id);
    assert_eq!(peers.rename(&zebra, &zebra).unwrap().id, one.id);
    let names: Vec<_> = peers.iter().map(|peer| peer.name.as_str().to_owned()).collect();
    assert_eq!(names, ["two", "zebra"], "in order of name");
    assert_eq!(peers.standing(peers.find(&zebra).unwrap(), at(2)), Standing::Served, "excepted under its new name too");
}

#[test]
fn who_is_served_is_decided_by_switch_lockdown_and_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut peers = Peers::load(dir.path()).unwrap();
    let terms = Terms { not_before: Some(When::At(at(10))), expires: Some(When::At(at(20))), ..Terms::default() };
    let guest = add(&mut peers, &NewPeer { terms, ..new_peer("guest", 1) }).unwrap();
    let phone = add(&mut peers, &new_peer("phone", 2)).unwrap();
    let check = |peers: &Peers, now: i64, expected: [Standing; 2]| {
        let again = Peers::load(dir.path()).unwrap();
        for peers in [peers, &again] {
            let standing = [&guest, &phone].map(|peer| peers.standing(peers.find(&peer.name).unwrap(), at(now)));
            assert_eq!(standing, expected, "at {now}");
            let policy = peers.policy(at(now));
            for (peer, standing) in peers.iter().zip(standing) {
                assert_eq!(policy.scope(peer.id).is_some(), standing == Standing::Served);
            }
        }
    };
    check(&peers, 9, [Standing::NotYet, Standing::Served]);
    check(&peers, 10, [Standing::Served, Standing::Served]);
    check(&peers, 20, [Standing::Expired, Standing::Served]);
    assert_eq!([9, 10, 20].map(|now| peers.next_change(at(now))), [Some(at(10)), Some(at(20)), None]);

    peers.switch(&phone.name, false).unwrap();
    check(&peers, 10, [Standing::Served, Standing::Disabled]);
    peers.lock(at(11), &[]).unwrap();
    check(&peers, 12, [Standing::LockedOut, Standing::Disabled]);
    peers.switch(&phone.name, true).unwrap();
    check(&peers, 12, [Standing::LockedOut, Standing::LockedOut]);
    peers.lock(at(13), std::slice::from_ref(&guest.name)).unwrap();
    assert_eq!(peers.lockdown().unwrap().0, at(11), "it lasts since it began");
    check(&peers, 14, [Standing::Served, Standing::LockedOut]);
    assert!(matches!(peers.lock(at(15), &["nobody".parse().unwrap()]), Err(PeersError::NoSuchPeer(_))));
    assert!(peers.unlock().unwrap() && !peers.unlock().unwrap());
    check(&peers, 14, [Standing::Served, Standing::Served]);
    peers.set(&guest.name, &Terms { expires: Some(When::Never), ..Terms::default() }).unwrap();
    check(&peers, 30, [Standing::Served, Standing::Served]);
}

#[test]
fn outer_networks_are_read_as_people_write_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut peers = Peers::load(dir.path()).unwrap();
    let phone = add(&mut peers, &new_peer("phone", 1)).unwrap();
    let mut from = |texts: &[&str]| {
        let from = Some(texts.iter().map(|text| (*text).to_owned()).collect());
        let set = peers.set(&phone.name, &Terms { from, ..Terms::default() });
        set.map(|peer| (peer.id, peer.from.iter().map(ToString::to_string).collect::<Vec<_>>()))
    };
    let (id, networks) = from(&["192.0.2.77/24", "2001:db8::1"]).unwrap();
    assert_eq!(networks, ["192.0.2.0/24", "2001:db8::1/128"]);
    assert_ne!(id, phone.id, "a session from elsewhere ends");
    assert_eq!(from(&["192.0.2.0/24", "2001:db8::1"]).unwrap().0, id, "nothing has changed");
    for wrong in ["192.0.2.0/33", "home", "", "192.0.2.0/"] {
        let error = from(&[wrong]).unwrap_err();
        assert!(matches!(&error, PeersError::Grant(text) if text.contains("192.0.2.0/24")), "{wrong}: {error}");
    }
}
