//! A disk and /run as folders: what goes there, what comes back, and what does not.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs as std_fs;
use std::path::Path;
use std::rc::Rc;

use orlop::control::ConfigFile;
use orlop::keep::Mirror;

use super::*;
use crate::agent::configuration::Origin;
use crate::agent::lasting::pointer::Pointer;

struct World {
    places: Places,
    _folder: tempfile::TempDir,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let places = Places { run: folder.path().join("run"), disk: folder.path().join("disk") };
    std_fs::create_dir_all(places.run.join("containers")).unwrap();
    std_fs::create_dir_all(&places.disk).unwrap();
    World { places, _folder: folder }
}

impl World {
    fn run(&self, path: &str, bytes: impl AsRef<[u8]>) {
        put_at(&self.places.run.join(path), bytes.as_ref());
    }

    fn disk(&self, path: &str, bytes: impl AsRef<[u8]>) {
        put_at(&self.places.disk.join("state").join(path), bytes.as_ref());
    }

    fn on_disk(&self, path: &str) -> Option<Vec<u8>> {
        std_fs::read(self.places.disk.join("state").join(path)).ok()
    }

    fn in_run(&self, path: &str) -> Option<Vec<u8>> {
        std_fs::read(self.places.run.join(path)).ok()
    }

    /// The power goes: /run is memory.
    fn boots(&self) {
        std_fs::remove_dir_all(&self.places.run).unwrap();
        std_fs::create_dir_all(self.places.run.join("containers")).unwrap();
    }

    fn mirror(&self, what: Mirror) -> Result<Option<u64>> {
        self.places.mirror(&BTreeSet::from([what]))
    }

    fn restored(&self) -> Vec<String> {
        self.places.restore().unwrap().lines()
    }
}

fn put_at(path: &Path, bytes: &[u8]) {
    std_fs::create_dir_all(path.parent().unwrap()).unwrap();
    std_fs::write(path, bytes).unwrap();
}

/// A page with one end in it, as `agent/ends.rs` writes it.
fn page() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ends");
    ends::keep(path.to_str().unwrap(), &orlop::control::ExitRecord::default()).unwrap();
    std_fs::read(path).unwrap()
}

fn version(number: u64) -> String {
    let files = vec![ConfigFile { path: "a.toml".into(), text: "# a".into() }];
    serde_json::to_string(&Version { number, files, origin: Origin::default() }).unwrap()
}

fn in_force(number: u64) -> String {
    let made_from = "sha256:x".into();
    let pointer = Pointer { made_from, number, files: None, origin: Origin::default(), is_doubted: false };
    serde_json::to_string(&pointer).unwrap()
}

#[test]
fn what_was_mirrored_comes_back_once_and_the_report_only_once() {
    let (world, page) = (world(), page());
    assert_eq!(world.restored(), [""; 0], "an empty disk");
    world.run("containers/web/ends", &page);
    world.run("containers/db/record.json", "{}");
    world.run("configurations/0.json", version(0));
    world.run("in-force.json", in_force(1));
    world.run("end.json", r#"{"lines":["shutdown: reboot"]}"#);
    assert_eq!(world.mirror(Mirror::All).unwrap(), Some(1));
    assert_eq!(world.on_disk("ends/db"), None, "it has not ended yet");

    world.boots();
    assert_eq!(world.restored(), [""; 0]);
    assert_eq!(world.in_run("containers/web/ends"), Some(page));
    assert_eq!(world.in_run("configurations/0.json"), Some(version(0).into_bytes()));
    assert_eq!(world.in_run("in-force.json"), Some(in_force(1).into_bytes()));
    assert!(world.in_run("end-before.json").is_some() && world.in_run("end.json").is_none());
    assert_eq!(world.on_disk("end.json"), None);
    // Another keeper of this boot: what was forgotten meanwhile does not come back.
    std_fs::remove_file(world.places.run.join("containers/web/ends")).unwrap();
    assert_eq!(world.restored(), [""; 0]);
    assert_eq!(world.in_run("containers/web/ends"), None);
    world.mirror(Mirror::Ends("web".into())).unwrap();
    assert_eq!(world.on_disk("ends/web"), None);

    world.boots();
    world.restored();
    assert_eq!(world.in_run("end-before.json"), None, "the last end was without a word");
}

#[test]
fn what_makes_no_sense_is_put_aside_and_the_rest_comes_back() {
    let (world, page) = (world(), page());
    world.disk("ends/web", &page);
    world.disk("ends/short", "x");
    world.disk("ends/zeros", [0; ENDS]);
    world.disk("configurations/1.json", version(1));
    world.disk("configurations/2.json", version(3));
    world.disk("in-force.json", "{ \"number\": 1");
    let elsewhere = world.places.run.join("elsewhere");
    std_fs::write(&elsewhere, r#"{"lines":["secret"]}"#).unwrap();
    std::os::unix::fs::symlink(elsewhere, world.places.disk.join("state/end.json")).unwrap();
    let told = world.restored();
    for (line, wanted) in told.iter().zip([
        "ends/short: it makes no sense; it is put aside",
        "ends/zeros: it makes no sense",
        "configurations/2.json: it makes no sense",
        "end.json: Too many symbolic links encountered",
    ]) {
        assert!(line.starts_with(wanted), "{line}");
    }
    assert_eq!(told.len(), 4, "{told:?}");
    let again = world.places.restore().unwrap();
    assert_eq!(
        again.in_force, "in-force.json: it makes no sense; it is put aside",
        "a later keeper knows too"
    );
    assert_eq!(world.in_run("containers/web/ends"), Some(page));
    assert_eq!(world.in_run("configurations/1.json"), Some(version(1).into_bytes()));
    for path in ["containers/short/ends", "configurations/2.json", "in-force.json", "end-before.json"] {
        assert_eq!(world.in_run(path), None, "{path}");
    }
    assert!(world.on_disk(".in-force.json.bad").is_some() && world.on_disk("in-force.json").is_none());
}

#[test]
fn of_versions_that_are_too_many_or_too_large_the_newest_come_back() {
    let world = world();
    let large = |number| version(number).replace("# a", &"x".repeat(700 << 10));
    for number in 1..6 {
        world.disk(&format!("configurations/{number}.json"), large(number));
    }
    // A number that leaves none for those after it.
    for number in [u64::MAX, 1 << 53] {
        world.disk(&format!("configurations/{number}.json"), version(number));
    }
    let told = world.restored();
    assert_eq!(told.len(), 2, "{told:?}");
    let came = [1, 2, 3, 4, 5].map(|it| world.in_run(&format!("configurations/{it}.json")).is_some());
    assert_eq!(came, [false, false, false, true, true]);
    assert_eq!(world.in_run(&format!("configurations/{}.json", u64::MAX)), None);

    // The last one always does.
    world.boots();
    world.disk("configurations/9.json", version(9).replace("# a", &"x".repeat(3 << 20)));
    world.restored();
    let came = [5, 9].map(|it| world.in_run(&format!("configurations/{it}.json")).is_some());
    assert_eq!(came, [false, true]);
}

#[test]
fn a_configuration_that_is_too_large_is_not_in_force_and_it_is_said_how_large() {
    let world = world();
    let files = Some(vec![ConfigFile { path: "a.toml".into(), text: "#".repeat(2 << 20) }]);
    let (made_from, origin) = ("x".into(), Origin::default());
    let pointer = Pointer { made_from, number: 1, files, origin, is_doubted: false };
    world.disk("in-force.json", serde_json::to_vec(&pointer).unwrap());
    assert_eq!(
        world.places.restore().unwrap().in_force,
        "in-force.json: the configuration has 2097158 bytes; at most 1048576 are read; it is put aside"
    );
    assert_eq!(world.in_run("in-force.json"), None);
}

#[test]
fn a_disk_that_takes_nothing_is_read_all_the_same() {
    let (world, page) = (world(), page());
    world.disk("ends/web", &page);
    world.disk("configurations/1.json", version(1));
    world.disk("in-force.json", in_force(1));
    world.disk("end.json", r#"{"lines":["shutdown: reboot"]}"#);
    data_file::test::IS_FULL.set(true);
    let told = world.restored();
    data_file::test::IS_FULL.set(false);
    let wanted = "what outlives a power-off is read, and cannot be written: No space left on device";
    assert_eq!(told, [wanted]);
    for path in ["containers/web/ends", "configurations/1.json", "in-force.json", "end-before.json"] {
        assert!(world.in_run(path).is_some(), "{path}");
    }
}

#[test]
fn a_page_of_ends_whose_numbers_leave_none_for_the_next_is_put_aside() {
    let (world, mut page) = (world(), page());
    // Slot 7 of 8, so that the highest number there is stands where it may.
    let (first, last) = page.split_at_mut(orlop::log::SLOT as usize * 7);
    last.copy_from_slice(&first[orlop::log::SLOT as usize..][..orlop::log::SLOT as usize]);
    last[..8].copy_from_slice(&(u64::MAX - 8).to_le_bytes());
    world.disk("ends/web", &page);
    assert_eq!(world.restored(), ["ends/web: it makes no sense; it is put aside"]);
}

#[test]
fn a_disk_that_comes_late_takes_nothing_away() {
    let world = world();
    world.disk("in-force.json", in_force(4));
    world.disk("configurations/0.json", version(0));
    world.disk("configurations/3.json", version(3));
    world.run("configurations/0.json", "of this boot");
    world.run("in-force.json", in_force(1));
    world.restored();
    assert_eq!(world.in_run("in-force.json"), Some(in_force(1).into_bytes()), "somebody has reloaded");
    assert_eq!(world.in_run("configurations/0.json"), Some(b"of this boot".to_vec()));
    assert_eq!(world.in_run("configurations/3.json"), Some(version(3).into_bytes()));
}

#[test]
fn a_name_does_not_lead_out_of_its_folder_and_what_is_too_large_is_not_read() {
    let world = world();
    for name in ["../../etc", "a/b", "", "."] {
        assert!(world.mirror(Mirror::Ends(name.into())).is_err(), "{name:?}");
    }
    world.run("containers/web/ends", vec![1; ENDS + 1]);
    assert!(world.mirror(Mirror::Ends("web".into())).is_err());
    assert_eq!(world.on_disk("ends/web"), None);
    world.disk("end.json", vec![b' '; REPORT + 1]);
    assert_eq!(world.restored().len(), 1);
}

#[test]
fn versions_that_are_gone_go_on_the_disk_too() {
    let world = world();
    world.disk("configurations/1.json", version(1));
    world.run("configurations/2.json", version(2));
    assert_eq!(world.mirror(Mirror::Configuration).unwrap(), None, "nothing is in force for the next boot");
    assert_eq!(world.on_disk("configurations/1.json"), None);
    assert_eq!(world.on_disk("configurations/2.json"), Some(version(2).into_bytes()));
}

#[test]
fn a_folder_that_leads_elsewhere_is_not_written_to() {
    let world = world();
    std_fs::create_dir_all(world.places.disk.join("state")).unwrap();
    std::os::unix::fs::symlink(&world.places.run, world.places.disk.join("state/ends")).unwrap();
    world.run("containers/web/ends", page());
    assert_eq!(world.mirror(Mirror::Ends("web".into())), Err(Errno::ENOTDIR));
    assert_eq!(world.places.restore(), Err(Errno::ENOTDIR));
}

#[test]
fn of_two_hundred_each_is_the_old_one_or_the_new_one_and_the_disk_is_waited_for_twice() {
    let (world, page) = (world(), page());
    let other = [&page[..ENDS - 1], b"x"].concat();
    let names: Vec<String> = (0..200).map(|number| format!("c{number}")).collect();
    for name in &names {
        world.disk(&format!("ends/{name}"), &page);
        world.run(&format!("containers/{name}/ends"), &other);
    }
    // What a power cut leaves at the latest: what is in place, and beside it.
    let seen = Rc::new(RefCell::new(Vec::new()));
    let state = world.places.disk.join("state/ends");
    let (watched, names, old, new) = (Rc::clone(&seen), names.clone(), page.clone(), other.clone());
    let watch = move || {
        let is =
            |path: String, wanted: &[u8]| std_fs::read(state.join(path)).is_ok_and(|bytes| bytes == wanted);
        let in_place = names.iter().filter(|name| is((*name).clone(), &new)).count();
        let old_ones = names.iter().filter(|name| is((*name).clone(), &old)).count();
        let beside = names.iter().filter(|name| is(format!(".{name}.new"), &new)).count();
        watched.borrow_mut().push((old_ones, beside, in_place));
    };
    let done = data_file::test::watched(watch, || world.mirror(Mirror::All));
    assert_eq!(done, Ok(None));
    assert_eq!(seen.take(), [(200, 200, 0), (0, 0, 200)]);
}

#[test]
fn one_that_cannot_be_copied_holds_up_none_of_the_others() {
    let (world, page) = (world(), page());
    world.run("containers/a/ends", vec![1; ENDS + 1]);
    world.run("containers/b/ends", &page);
    assert_eq!(world.mirror(Mirror::All), Err(Errno::EFBIG));
    assert_eq!((world.on_disk("ends/a"), world.on_disk("ends/b")), (None, Some(page)));
}

#[test]
fn what_is_more_than_a_few_megabytes_is_on_the_disk_twice_in_parts() {
    let world = world();
    let large = |number| version(number).replace("# a", &"x".repeat(3 << 20));
    for number in 1..4 {
        world.run(&format!("configurations/{number}.json"), large(number));
    }
    let state = world.places.disk.join("state/configurations");
    let seen = Rc::new(RefCell::new(0));
    let most = Rc::clone(&seen);
    let watch = move || {
        let names = std_fs::read_dir(&state).unwrap().map(|it| it.unwrap().file_name());
        let beside = names.filter(|name| name.to_str().unwrap().ends_with(".new")).count();
        let most = &mut *most.borrow_mut();
        *most = beside.max(*most);
    };
    data_file::test::watched(watch, || world.mirror(Mirror::Configuration)).unwrap();
    assert_eq!(seen.take(), 1);
    assert_eq!(world.on_disk("configurations/3.json"), Some(large(3).into_bytes()));
}
