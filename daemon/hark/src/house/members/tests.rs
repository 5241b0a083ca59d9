//! Whom a speaker trusts after what it was told.

use super::*;

fn identity(n: u8) -> Identity {
    Identity::from_seed(&[n; 32])
}

fn card(room: &str) -> Card {
    Card { room: room.into(), name: room.into(), ..Card::default() }
}

fn alone(folder: &Path, n: u8) -> Members {
    Members::open(folder, identity(n).key()).unwrap()
}

#[test]
fn what_a_member_vouches_for_is_believed_and_what_a_stranger_does_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut us = alone(folder.path(), 1);
    us.vouch_for(&identity(1), "hall", identity(2).key(), card("kitchen")).unwrap();
    let by = |voucher: u8, n: u8, room: &str| Vouch::new(&identity(voucher), identity(n).key(), card(room));
    // 3 is vouched for by 2, whom we trust, 4 by 3, and 6 by 5, whom nobody knows.
    let members = vec![by(5, 6, "attic"), by(3, 4, "nursery"), by(2, 3, "bedroom")];
    let change = us.merge(List { members, removed: Vec::new() }, "hall");
    assert_eq!(change.added, [identity(3).key(), identity(4).key()]);
    let mut forged = by(2, 7, "cellar");
    forged.card = card("office");
    assert_eq!(us.merge(List { members: vec![forged], removed: Vec::new() }, "hall"), Change::default());
}

#[test]
fn removal_wins_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let (mut us, mut kitchen) = (alone(folder.path(), 1), alone(folder.path(), 2));
    us.vouch_for(&identity(1), "hall", identity(2).key(), card("kitchen")).unwrap();
    us.vouch_for(&identity(1), "hall", identity(3).key(), card("bedroom")).unwrap();
    kitchen.vouch_for(&identity(2), "kitchen", identity(1).key(), card("hall")).unwrap();
    kitchen.merge(us.list(&identity(1)), "kitchen");
    assert_eq!(us.digest(), kitchen.digest());
    us.remove(&identity(1), identity(3).key());
    assert_ne!(us.digest(), kitchen.digest());
    // The kitchen has not heard of it yet.
    assert_eq!(us.merge(kitchen.list(&identity(2)), "hall"), Change::default());
    assert_eq!(kitchen.merge(us.list(&identity(1)), "kitchen").removed, [identity(3).key()]);
    assert_eq!(us.digest(), kitchen.digest());
    let error = us.vouch_for(&identity(1), "hall", identity(3).key(), card("bedroom")).unwrap_err();
    assert!(error.contains("hark house leave"), "{error}");
    // What a removed member says counts no more.
    let late = List { members: vec![Vouch::new(&identity(3), identity(9).key(), card("attic"))], removed: Vec::new() };
    assert_eq!(us.merge(late, "hall"), Change::default());
}

#[test]
fn the_same_room_with_another_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut us = alone(folder.path(), 1);
    us.vouch_for(&identity(1), "hall", identity(2).key(), card("kitchen")).unwrap();
    for room in ["kitchen", "hall"] {
        assert!(us.vouch_for(&identity(1), "hall", identity(3).key(), card(room)).unwrap_err().contains(room));
        let members = vec![Vouch::new(&identity(2), identity(3).key(), card(room))];
        let change = us.merge(List { members, removed: Vec::new() }, "hall");
        assert_eq!(change.conflicts.into_iter().collect::<Vec<_>>(), [room]);
    }
    assert_eq!(us.renamed(&identity(1), "hall", identity(2).key(), &card("hall")), Err("hall".into()));
    assert_eq!(us.renamed(&identity(1), "hall", identity(2).key(), &card("pantry")), Ok(true));
    assert_eq!(us.by_room("pantry").map(|it| it.key), Some(identity(2).key()));
}

#[test]
fn a_damaged_list_is_an_error_or_the_one_before_but_never_empty() {
    let folder = tempfile::tempdir().unwrap();
    let mut us = alone(folder.path(), 1);
    us.vouch_for(&identity(1), "hall", identity(2).key(), card("kitchen")).unwrap();
    us.save().unwrap();
    assert_eq!(alone(folder.path(), 1).len(), 1);
    let file = folder.path().join(FILE);
    fs::write(&file, "{").unwrap();
    let error = Members::open(folder.path(), identity(1).key()).unwrap_err().to_string();
    assert!(error.contains("hark house join"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), b"{");
    us.save().unwrap();
    us.save().unwrap();
    fs::write(&file, "{").unwrap();
    assert_eq!(alone(folder.path(), 1).len(), 1, "the one before");
    assert_eq!(fs::read(file.with_extension("json.damaged")).unwrap(), b"{");
}

#[test]
fn cards_that_cannot_be_are_refused() {
    let long = "x".repeat(101);
    for (room, name, sound) in [
        ("kitchen", "Küche", true),
        ("", "x", false),
        ("a/b", "x", false),
        ("Kitchen", "x", false),
        ("a", "x\n", false),
        ("a", &long, false),
        (&long, "x", false),
    ] {
        let card = Card { room: room.into(), name: name.into(), ..Card::default() };
        assert_eq!(card.is_sound(), sound, "{room} {name}");
    }
}
