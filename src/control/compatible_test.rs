//! The interface only grows: what a client of the last release may say is still understood, and what it relies on is
//! still said. `released/` has the interface of each release, as it was shipped; here the present one meets them.
//!
//! When a release is made, its file is copied there under its version and never touched again.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json, to_value};

use super::*;

const RELEASED: &[(&str, &str)] = &[("1.0", include_str!("released/1.0.varlink"))];

/// Name → type, as it is written: `?[]string`.
type Fields = BTreeMap<String, String>;

#[derive(Debug, Clone, PartialEq)]
enum Member {
    Words(Vec<String>),
    Struct(Fields),
    Method(Fields, Fields),
    Error(Fields),
}

/// `type Container`, `method List`, `error Busy` → what it is.
type Interface = BTreeMap<String, Member>;

fn parse(text: &str) -> Interface {
    let text: String = text.lines().map(|line| line.split('#').next().unwrap().to_owned() + "\n").collect();
    let (_, rest) = text.split_once("interface org.orlop.Control").unwrap();
    let starts = ["type", "method", "error"];
    let marked = starts
        .iter()
        .fold(rest.to_owned(), |text, start| text.replace(&format!("\n{start} "), &format!("\0{start} ")));
    marked.split('\0').skip(1).map(member).collect()
}

fn member(text: &str) -> (String, Member) {
    let (head, body) = text.split_once('(').unwrap();
    let head = head.trim().to_owned();
    let is_words = !body.contains(':') && !body.trim_start().starts_with(')');
    let member = match head.split(' ').next().unwrap() {
        "method" => {
            let (parameters, reply) = body.split_once("->").unwrap();
            Member::Method(fields(parameters), fields(reply.trim().strip_prefix('(').unwrap()))
        }
        "error" => Member::Error(fields(body)),
        _ if is_words => Member::Words(list(body).map(str::to_owned).collect()),
        _ => Member::Struct(fields(body)),
    };
    (head, member)
}

fn list(body: &str) -> impl Iterator<Item = &str> {
    let inner = body.trim().strip_suffix(')').unwrap();
    inner.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn fields(body: &str) -> Fields {
    let field = |part: &str| {
        let (name, kind) = part.split_once(':').unwrap();
        (name.trim().to_owned(), kind.trim().to_owned())
    };
    list(body).map(field).collect()
}

/// What a client of `old` would miss or be refused in `new`.
fn breaks(old: &Interface, new: &Interface) -> Vec<String> {
    let mut breaks = Vec::new();
    for (name, was) in old {
        let Some(is) = new.get(name) else {
            breaks.push(format!("{name} is gone"));
            continue;
        };
        match (was, is) {
            (Member::Words(was), Member::Words(is)) => {
                let gone = was.iter().filter(|word| !is.contains(word));
                breaks.extend(gone.map(|word| format!("{name}: {word} is gone")));
            }
            (Member::Struct(was), Member::Struct(is)) | (Member::Error(was), Member::Error(is)) => {
                breaks.extend(said_less(name, was, is));
                if asked(old).contains(name) {
                    breaks.extend(asked_more(name, was, is));
                }
            }
            (Member::Method(asked, said), Member::Method(asks, says)) => {
                breaks.extend(asked_more(name, asked, asks));
                breaks.extend(said_less(name, said, says));
            }
            _ => breaks.push(format!("{name} is another kind of thing")),
        }
    }
    breaks
}

/// Types that stand in a request: none has fields yet.
fn asked(interface: &Interface) -> Vec<String> {
    let in_requests = |fields: &Fields| -> Vec<String> {
        fields.values().map(|kind| format!("type {}", bare(kind))).collect()
    };
    let methods = interface.values().filter_map(|member| match member {
        Member::Method(parameters, _) => Some(in_requests(parameters)),
        Member::Words(_) | Member::Struct(_) | Member::Error(_) => None,
    });
    methods.flatten().collect()
}

/// `?[]State` → `State`
fn bare(kind: &str) -> &str {
    kind.trim_start_matches('?').trim_start_matches("[]").trim_start_matches("[string]")
}

/// Of what is said: a field may come, and may be there always that was not; no other change.
fn said_less(name: &str, was: &Fields, is: &Fields) -> Vec<String> {
    let check = |(field, old): (&String, &String)| match is.get(field) {
        Some(new) if new == old || old.strip_prefix('?') == Some(new) => None,
        Some(new) => Some(format!("{name}: {field} was {old} and is {new}")),
        None => Some(format!("{name}: {field} is not said any more")),
    };
    was.iter().filter_map(check).collect()
}

/// Of what is asked: a field may come that may be left out, and may be left out that was needed.
fn asked_more(name: &str, was: &Fields, is: &Fields) -> Vec<String> {
    let gone = was.iter().filter_map(|(field, old)| match is.get(field) {
        Some(new) if new == old || new.strip_prefix('?') == Some(old) => None,
        Some(new) => Some(format!("{name}: {field} was {old} and is {new}")),
        None => Some(format!("{name}: {field} is refused now")),
    });
    let needed = is.iter().filter(|(field, new)| !was.contains_key(*field) && !new.starts_with('?'));
    let needed = needed.map(|(field, _)| format!("{name}: {field} is asked for now"));
    gone.chain(needed).collect()
}

#[test]
fn nothing_of_a_release_is_missing_or_has_changed() {
    for (version, text) in RELEASED {
        let breaks = breaks(&parse(text), &parse(INTERFACE));
        assert!(breaks.is_empty(), "against {version}:\n{}", breaks.join("\n"));
    }
}

#[test]
fn what_would_break_a_client_is_found() {
    let old = "interface org.orlop.Control\ntype State (up, down)\ntype C (a: int, b: ?int)\n\
               method M(x: int, y: ?State) -> (c: C)\nerror E (why: string)\n";
    let check = |from: &str, to: &str, expected: &[&str]| {
        assert!(old.contains(from));
        assert_eq!(breaks(&parse(old), &parse(&old.replace(from, to))), expected, "{from} -> {to}");
    };
    check("(up, down)", "(up, down, held)", &[]);
    check("a: int, b", "a: int, more: ?[]string, b", &[]);
    check("b: ?int", "b: int", &[]);
    check("x: int", "x: ?int, z: ?[string]string", &[]);
    check("(c: C)", "(c: C, d: int)", &[]);
    check("error E (why: string)\n", "error E (why: string)\nerror F ()\n", &[]);
    check("(up, down)", "(up)", &["type State: down is gone"]);
    check("a: int", "a: ?int", &["type C: a was int and is ?int"]);
    check("a: int", "a: string", &["type C: a was int and is string"]);
    check("a: int, b", "b", &["type C: a is not said any more"]);
    check("x: int", "x: int, z: int", &["method M: z is asked for now"]);
    check("y: ?State", "y: State", &["method M: y was ?State and is State"]);
    check("x: int, ", "", &["method M: x is refused now"]);
    check("(c: C)", "()", &["method M: c is not said any more"]);
    check("why", "cause", &["error E: why is not said any more"]);
    check("method M", "method N", &["method M is gone"]);
}

#[test]
fn the_version_of_the_interface_grows_with_it() {
    let number = |version: &str| -> (u32, u32) {
        let (major, minor) = version.split_once('.').unwrap();
        (major.parse().unwrap(), minor.parse().unwrap())
    };
    let (last, text) = RELEASED.last().unwrap();
    assert!(INTERFACE.contains(&format!("\n# Version {INTERFACE_VERSION}.")));
    assert_eq!(number(INTERFACE_VERSION).0, 1, "another major version is an interface of another name");
    assert_eq!(number(INTERFACE_VERSION) > number(last), parse(text) != parse(INTERFACE));
}

/// Any value of a type, in the words of its interface.
fn sample(interface: &Interface, kind: &str) -> Value {
    if let Some(item) = kind.strip_prefix("[]") {
        return json!([sample(interface, item)]);
    }
    if let Some(item) = kind.strip_prefix("[string]") {
        return json!({ "key": sample(interface, item) });
    }
    match kind.trim_start_matches('?') {
        "string" => json!("text"),
        "int" => json!(7),
        "float" => json!(1.5),
        "bool" => json!(true),
        "object" => json!({}),
        _ if kind.starts_with("?[") => sample(interface, &kind[1..]),
        name => match &interface[&format!("type {name}")] {
            Member::Words(words) => json!(words.last().unwrap()),
            Member::Struct(fields) => samples(interface, fields, Optional::There),
            other => panic!("{name}: {other:?}"),
        },
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Optional {
    There,
    Null,
    LeftOut,
}

fn samples(interface: &Interface, fields: &Fields, optional: Optional) -> Value {
    let mut values = Map::new();
    for (name, kind) in fields {
        match (kind.starts_with('?'), optional) {
            (true, Optional::LeftOut) => {}
            (true, Optional::Null) => drop(values.insert(name.clone(), Value::Null)),
            _ => drop(values.insert(name.clone(), sample(interface, kind))),
        }
    }
    Value::Object(values)
}

/// Parameters that are more than their type says.
fn exact(method: &str, parameters: &mut Value) {
    let exact = [
        ("signal", json!("TERM")),
        ("sha256", json!("0123456789abcdef".repeat(4))),
        ("data", json!("AAAA")),
        ("bundle", json!("/run/web")),
    ];
    for (name, value) in exact {
        if let Some(place) = parameters.get_mut(name).filter(|place| !place.is_null()) {
            *place = value;
        }
    }
    if method == "Exec" {
        parameters["environment"] = json!(["A=b"]);
    }
}

#[test]
fn requests_of_a_release_are_still_read_with_and_without_what_may_be_left_out() {
    for (version, text) in RELEASED {
        let old = parse(text);
        for (name, member) in &old {
            let (Some(method), Member::Method(asked, _)) = (name.strip_prefix("method "), member) else {
                continue;
            };
            for optional in [Optional::There, Optional::Null, Optional::LeftOut] {
                let mut parameters = samples(&old, asked, optional);
                exact(method, &mut parameters);
                let is_stream = method == "Logs";
                let is_upgrade = ["Exec", "Attach", "CopyFrom", "CopyTo"].contains(&method);
                let wire = json!({
                    "method": format!("{INTERFACE_NAME}.{method}"), "parameters": parameters,
                    "more": is_stream, "upgrade": is_upgrade,
                });
                let call = Call::parse(wire.to_string().as_bytes()).unwrap();
                let read = Request::from_call(call);
                assert!(read.is_ok(), "{version}: {wire}: {}", read.unwrap_err());
            }
        }
    }
}

/// Whether all of `old` is in `new`, which may have more fields.
fn holds(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            old.iter().all(|(key, old)| new.get(key).is_some_and(|new| holds(new, old)))
        }
        (Value::Array(new), Value::Array(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(new, old)| holds(new, old))
        }
        (new, old) => new == old,
    }
}

/// Reads a reply as the machine of a release says it, and one with a field that only later machines say.
fn reads<T: DeserializeOwned + Serialize>(old: &Interface, method: &str) {
    let Member::Method(_, said) = &old[&format!("method {method}")] else { panic!("{method}") };
    for optional in [Optional::There, Optional::Null] {
        let mut reply = samples(old, said, optional);
        let known = read::<T>(reply.clone()).unwrap_or_else(|error| panic!("{method}: {error}"));
        assert!(holds(&to_value(&known).unwrap(), &reply), "{method}: {reply} is not kept");
        reply["of_a_later_version"] = json!(1);
        read::<T>(reply).unwrap_or_else(|error| panic!("{method}: {error}"));
    }
}

#[test]
fn replies_of_a_release_are_still_understood_and_so_are_those_with_more() {
    for (_, text) in RELEASED {
        let old = parse(text);
        reads::<ListReply>(&old, "List");
        reads::<StatusReply>(&old, "Status");
        reads::<LogsReply>(&old, "Logs");
        reads::<StatsReply>(&old, "Stats");
        reads::<TopReply>(&old, "Top");
        reads::<SpecReply>(&old, "Spec");
        reads::<BootReply>(&old, "Boot");
        reads::<VersionReply>(&old, "Version");
        reads::<UploadReply>(&old, "UpgradeChunk");
        reads::<CommitReply>(&old, "UpgradeCommit");
        let read = [
            "List",
            "Status",
            "Logs",
            "Stats",
            "Top",
            "Spec",
            "Boot",
            "Version",
            "UpgradeChunk",
            "UpgradeCommit",
        ];
        let others = old.iter().filter_map(|(name, member)| match member {
            Member::Method(_, said) => Some((name.strip_prefix("method ")?, said)),
            Member::Words(_) | Member::Struct(_) | Member::Error(_) => None,
        });
        for (name, said) in others.filter(|(name, _)| !read.contains(name)) {
            assert!(said.is_empty(), "{name} says something, and nobody here reads it");
        }
    }
}
