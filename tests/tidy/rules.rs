//! The rules. Each takes a file and returns its complaints, one line each, with the place.

use crate::source::{Source, braces};

/// The rooms of the library (`crate::…` there, `orlop::…` elsewhere) and what each may import.
const DECIDE: &[(&str, &[&str])] = &[
    ("config", &[]),
    ("supervisor", &["config"]),
    ("simulation", &["config", "supervisor"]),
    ("picture", &[]),
    ("container", &["config"]),
    ("network", &["config"]),
    ("image", &["config"]),
    ("control", &["config"]),
    ("log", &["config"]),
    ("keep", &["config", "log"]),
    ("ledger", &[]),
    // No room, but what each may use.
    ("ordered", &[]),
];

/// The rooms of the binary: what each may import from the library, and from its own crate.
const ACT: &[(&str, &[&str], &[&str])] = &[
    ("linux", &[], &[]),
    ("init", &["ledger"], &["linux"]),
    ("engine", &["config", "container", "network"], &["linux"]),
    ("copy", &["image"], &["linux"]),
    ("agent", EVERY_DECIDING_ROOM, &["linux", "engine", "copy"]),
    ("oci", EVERY_DECIDING_ROOM, &["linux", "engine"]),
    ("cli", &["control", "config", "container", "log", "simulation", "picture"], &["linux", "copy"]),
];

const EVERY_DECIDING_ROOM: &[&str] =
    &["config", "supervisor", "container", "network", "image", "control", "log", "keep", "ledger"];

/// Pure `match` tables that may be longer than a page: path, function.
const LONG_TABLES: &[(&str, &str)] = &[("src/engine/inside.rs", "execute")];

/// What an init falls into: the word, where it may stand nevertheless, and what is used in its place.
const TRAPS: &[(&str, &[&str], &str)] = &[
    ("HashMap", &[], "it waits for randomness, which an early boot may not have; a BTreeMap does not"),
    ("HashSet", &[], "it waits for randomness, which an early boot may not have; a BTreeSet does not"),
    (
        "waitpid",
        &["src/linux/forked.rs"],
        "it takes what somebody else waits for; linux::wait knows whose it is",
    ),
    // To whom it cannot mean anybody else: ourselves, all, and who is not reaped yet.
    ("kill", &["src/linux/signal.rs"], "a number may be another process by now; linux::pidfd is sure"),
    ("killpg", &["src/engine/hooks.rs"], "a number may be another process by now; linux::pidfd is sure"),
];

const LONGEST_FUNCTION: usize = 70;
const LARGEST_FILE: usize = 600;
const LARGE_FILE: usize = 400;

pub(crate) fn imports(source: &Source) -> Vec<String> {
    let Some(room) = source.room() else {
        return Vec::new();
    };
    let decides = DECIDE.iter().find(|(name, _)| *name == room);
    let acts = ACT.iter().find(|(name, ..)| *name == room);
    let (own, library): (&[&str], &[&str]) = match (decides, acts) {
        (Some((_, own)), _) => (own, &[]),
        (None, Some((_, library, own))) => (own, library),
        (None, None) => {
            return vec![format!("{}: a room without a line in tests/tidy/rules.rs", source.path)];
        }
    };
    let mut complaints = Vec::new();
    let is_room = |name: &str| DECIDE.iter().any(|it| it.0 == name) || ACT.iter().any(|it| it.0 == name);
    // Tests are played in the simulator, whatever room they are of.
    let played = |name: &str| name == "simulation" && source.is_test();
    // What leads out of the room.
    let above = if source.path.ends_with("/mod.rs") { "super" } else { "super::super" };
    for (root, allowed) in [("crate", own), (above, own), ("orlop", library)] {
        for (line, name) in imported(&source.code, root) {
            if name != room && name != "ordered" && is_room(name) && !allowed.contains(&name) && !played(name)
            {
                complaints.push(format!("{}:{line}: `{room}` may not import `{root}::{name}`", source.path));
            }
        }
    }
    complaints
}

/// The first names after `root::`, those in braces too, with their lines.
fn imported<'a>(code: &'a str, root: &str) -> Vec<(usize, &'a str)> {
    let mut names = Vec::new();
    let path = format!("{root}::");
    for (at, _) in code.match_indices(&path) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|it| it.is_alphanumeric() || it == '_' || it == ':') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + path.len()..];
        let list = match rest.strip_prefix('{') {
            Some(inner) => &inner[..braces(rest).saturating_sub(2)],
            None => rest,
        };
        let mut depth = 0;
        let mut parts = list.split(|letter| {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            letter == ',' && depth == 0
        });
        let names_in =
            |part: &'a str| part.trim_start().split(|it: char| !it.is_alphanumeric() && it != '_').next();
        if rest.starts_with('{') {
            names.extend(parts.filter_map(names_in).map(|name| (line, name)));
        } else {
            names.extend(parts.next().and_then(names_in).map(|name| (line, name)));
        }
    }
    names
}

pub(crate) fn no_std(source: &Source) -> Vec<String> {
    let decides = source.room().is_some_and(|room| DECIDE.iter().any(|(name, _)| *name == room));
    if !decides || source.is_test() {
        return Vec::new();
    }
    complain(source, &source.shipped, &["std"], "the library has no std")
}

pub(crate) fn no_unsafe(source: &Source) -> Vec<String> {
    let is_door = source.room() == Some("linux") || source.path == "tls/src/linux.rs";
    if is_door || source.path.starts_with("tests/payload/") {
        return Vec::new();
    }
    complain(source, &source.code, &["unsafe"], "unsafe belongs in src/linux")
}

/// Of what runs on machines.
pub(crate) fn no_traps(source: &Source) -> Vec<String> {
    if source.room().is_none() || source.is_test() {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for (word, _, why) in TRAPS.iter().filter(|(_, places, _)| !places.contains(&source.path.as_str())) {
        for (line, at, _) in Source::words(&source.shipped).filter(|(_, _, found)| found == word) {
            let before = &source.shipped[..at];
            // `libc::kill` and `signal::kill` are the system's; others are our own.
            let is_own = *word == "kill" && !before.ends_with("libc::") && !before.ends_with("signal::");
            if !is_own {
                complaints.push(format!("{}:{line}: {word}: {why}", source.path));
            }
        }
    }
    complaints
}

pub(crate) fn says_what_it_is(source: &Source) -> Vec<String> {
    if source.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![format!("{}: starts without a `//!` line", source.path)]
}

pub(crate) fn nothing_left(source: &Source) -> Vec<String> {
    // Put together here, so that this file does not name them.
    let words = ["todo", "unimplemented", "dbg", "ignore"];
    let mut complaints = Vec::new();
    for (line, at, word) in Source::words(&source.code) {
        let before = source.code[..at].trim_end();
        let after = source.code[at + word.len()..].chars().next();
        let is_macro = after == Some('!');
        let is_attribute = word == "ignore" && before.ends_with("#[");
        if words.contains(&word) && (is_macro || is_attribute) {
            complaints.push(format!("{}:{line}: {word}", source.path));
        }
    }
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    for (number, line) in source.text.lines().enumerate() {
        if let Some(mark) = marks.iter().find(|mark| line.contains(*mark)) {
            complaints.push(format!("{}:{}: {mark}", source.path, number + 1));
        }
    }
    complaints
}

fn complain(source: &Source, code: &str, words: &[&str], why: &str) -> Vec<String> {
    Source::words(code)
        .filter(|(_, _, word)| words.contains(word))
        .map(|(line, ..)| format!("{}:{line}: {why}", source.path))
        .collect()
}

pub(crate) fn short_functions(source: &Source) -> Vec<String> {
    if source.is_test() {
        return Vec::new();
    }
    let code = &source.shipped;
    let mut complaints = Vec::new();
    for (line, at, _) in Source::words(code).filter(|(_, _, word)| *word == "fn") {
        let rest = code[at + 2..].trim_start();
        let name: String = rest.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect();
        // Without a name it is a type, without a body a promise.
        let (false, Some(open)) = (name.is_empty(), body(rest)) else {
            continue;
        };
        let end = open + braces(&rest[open..]);
        let lines = rest[..end].matches('\n').count() + 1;
        let excused = LONG_TABLES.contains(&(source.path.as_str(), name.as_str()));
        if lines > LONGEST_FUNCTION && !excused {
            complaints.push(format!(
                "{}:{line}: `{name}` has {lines} lines, and may have {LONGEST_FUNCTION}",
                source.path
            ));
        }
    }
    complaints
}

/// Where the body of a function opens, if it has one.
fn body(signature: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in signature.bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Tests may be large from the start, but no larger than anything may be.
pub(crate) fn sizes(files: &[Source], ratchet: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let entries: Vec<(usize, &str)> = ratchet
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(lines, path)| Some((lines.parse().ok()?, path)))
        .collect();
    for source in files {
        let (path, lines) = (&source.path, source.lines());
        let entry = entries.iter().find(|(_, name)| name == path).map(|(lines, _)| *lines);
        let usual = if source.is_test() { LARGEST_FILE } else { LARGE_FILE };
        let allowed = entry.unwrap_or(usual).min(LARGEST_FILE);
        if lines > allowed {
            complaints.push(format!("{path}: {lines} lines, and may have {allowed}: split it"));
        } else if entry.is_some_and(|entry| entry != lines) {
            complaints.push(format!("{path}: {lines} lines: lower its entry in large-files.txt"));
        }
    }
    for (_, path) in entries {
        if !files.iter().any(|source| source.path == path) {
            complaints.push(format!("{path}: is gone: take its entry out of large-files.txt"));
        }
    }
    complaints
}

/// What a document names in backticks or as a link and means as a file of the repository: what starts
/// with an entry of its top folder and has a slash, or is such an entry with a dot in its name.
pub(crate) fn named_paths(document: &str, top: &[String]) -> Vec<String> {
    let quoted = document.split('`').skip(1).step_by(2);
    let linked = document.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let is_path = |text: &&str| {
        let plain = |it: char| it.is_ascii_alphanumeric() || "_-./".contains(it);
        let first = text.split('/').next().unwrap_or_default();
        let known = top.iter().any(|entry| entry == first);
        text.chars().all(plain) && known && (text.contains('/') || text.contains('.'))
    };
    let linked_file = |text: &&str| !text.contains(':') && !text.starts_with('#');
    let target = |text: &str| text.split('#').next().unwrap_or_default().to_string();
    let mut paths: Vec<String> = quoted.filter(is_path).map(str::to_string).collect();
    paths.extend(linked.filter(linked_file).map(target));
    paths
}

/// The crates that a Cargo.toml names in any of its tables of dependencies.
pub(crate) fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut listing = false;
    for line in manifest.lines() {
        if let Some(table) = line.strip_prefix('[') {
            listing = table.trim_end_matches(']').ends_with("dependencies");
        } else if listing && line.starts_with(|it: char| it.is_alphabetic()) {
            names.extend(line.split(['.', ' ', '=']).next().map(str::to_string));
        }
    }
    names
}

#[path = "rules_tests.rs"]
mod tests;
