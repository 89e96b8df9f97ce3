//! What the supervisor remembers while a disk is waited for, and what it tells the keeper.

use super::*;

#[test]
fn what_too_many_died_of_is_doubted_on_the_disk_too() {
    let mut lasting = Lasting::new(&Kept::default(), true, false);
    let files = Some(Vec::new());
    let on_disk = OnDisk::Is(orlop::config::Lasting { made_from: "x".into(), files, is_doubted: false });
    assert_eq!(lasting.judge("x", &on_disk, false), InForce::Lasting);
    assert_eq!(lasting.due(Duration::ZERO), []);
    assert_eq!(lasting.judge("x", &on_disk, true), InForce::BuiltInFor(orlop::config::Doubt::Deadly));
    assert_eq!(lasting.due(Duration::ZERO), [Mirror::Configuration]);
    assert_eq!(lasting.judge("x", &OnDisk::Nothing, true), InForce::BuiltIn);
    assert_eq!(lasting.due(Duration::ZERO), []);
}

#[test]
fn who_asks_and_goes_leaves_nothing_behind() {
    let mut lasting = Lasting::new(&Kept::default(), true, false);
    let asked = || Logs { names: vec!["web".into()], ..Logs::default() };
    let call = CallId::numbered;
    assert!(lasting.hold(call(1), asked(), |_| true).is_some(), "nobody waits for a disk");
    let (power, upgrade_failed) = (None, None);
    let (phases, entries) = (Vec::new(), Vec::new());
    let table = Table { starts: 1, safe: false, power, upgrade_failed, phases, entries };
    lasting.wait(table, Duration::from_secs(9), Duration::ZERO);
    for number in 0..1000 {
        assert!(lasting.hold(call(number), asked(), |it| it == call(7)).is_none());
    }
    let held = lasting.waiting.map(|waiting| waiting.asked).unwrap_or_default();
    assert_eq!(held.into_iter().map(|(call, _)| call).collect::<Vec<_>>(), [7, 999].map(call));
}

#[test]
fn at_the_end_many_are_one_word() {
    let mut lasting = Lasting::new(&Kept::default(), true, false);
    let names = |count: u32| (0..count).map(|number| Mirror::Ends(number.to_string()));
    lasting.changed.extend(names(3));
    assert_eq!(lasting.all().len(), 3);
    lasting.changed.extend(names(200));
    assert_eq!(lasting.all(), [Mirror::All]);
    assert_eq!(lasting.all(), []);
}
