//! Configurations, right and wrong, and what is said about them.
//!
//! `ORLOP_BLESS=1 cargo test --test config` writes the golden files anew; read the difference.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests may stop")]

use orlop::config::{Exhausted, FileUse, Reading, Source, files, read, reference, schema};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A configuration as `orlop check` reads it: a file, or a folder's `*.toml` in the order of their names.
fn read_path(path: &Path) -> Reading {
    let mut files = if path.is_dir() { entries(path, "toml") } else { vec![path.to_path_buf()] };
    files.sort();
    let source = |file: &PathBuf| Source {
        path: file.file_name().unwrap().to_string_lossy().into_owned(),
        text: String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned(),
    };
    read(&files.iter().map(source).collect::<Vec<_>>())
}

fn entries(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|e| e == extension));
    found.sort();
    found
}

/// What is said, and what is left: every message, then the invalid containers.
fn said(reading: &Reading) -> String {
    let mut text = String::new();
    for diagnostic in &reading.diagnostics {
        text += &format!("{diagnostic}\n\n");
    }
    let invalid: Vec<&str> = reading.config.invalid.keys().map(String::as_str).collect();
    let valid: Vec<&str> = reading.config.containers.keys().map(String::as_str).collect();
    text + &format!("valid: {}\ninvalid: {}\n", valid.join(" "), invalid.join(" "))
}

/// Compares with a golden file, or writes it.
fn golden(path: &Path, found: &str, wrong: &mut Vec<String>) {
    if std::env::var_os("ORLOP_BLESS").is_some() {
        return fs::write(path, found).unwrap();
    }
    let wanted = fs::read_to_string(path).unwrap_or_default();
    if wanted != found {
        wrong.push(format!("{}:\n--- wanted\n{wanted}\n--- found\n{found}", path.display()));
    }
}

#[test]
fn says_what_is_wrong_with_every_bad_configuration_and_where() {
    let folder = root().join("tests/config/bad");
    let mut cases: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.is_dir() || path.extension().is_some_and(|e| e == "toml"));
    cases.sort();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let reading = read_path(case);
        let warns = case.file_stem().unwrap().to_string_lossy().starts_with("warns");
        assert_eq!(reading.has_errors(), !warns, "{}", case.display());
        assert!(!reading.diagnostics.is_empty(), "{}", case.display());
        golden(&case.with_extension("txt"), &said(&reading), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_example_and_the_demo_are_right() {
    let demo = read_path(&root().join("config/demo"));
    assert_eq!(said(&demo), "valid: nginx redis\ninvalid: \n");
    let examples = entries(&root().join("config/examples"), "toml");
    assert!(examples.len() >= 9, "{}", examples.len());
    for example in examples {
        let reading = read_path(&example);
        assert_eq!(reading.diagnostics, [], "{}:\n{}", example.display(), said(&reading));
    }
}

/// What each example means, every default filled in.
#[test]
fn reads_every_example_as_it_is_meant() {
    let mut wrong = Vec::new();
    for example in entries(&root().join("config/examples"), "toml") {
        let golden_file =
            Path::new("tests/config/good").join(example.with_extension("txt").file_name().unwrap());
        golden(&root().join(golden_file), &format!("{:#?}\n", read_path(&example).config), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_page_lists_the_keys_that_there_are() {
    let page = root().join("docs/configuration.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once("<!-- keys: written").unwrap();
    let (head, _) = rest.split_once('\n').unwrap();
    let (_, after) = rest.split_once("<!-- keys: end -->").unwrap();
    let wanted = format!("{before}<!-- keys: written{head}\n\n{}<!-- keys: end -->{after}", reference());
    let mut wrong = Vec::new();
    golden(&page, &wanted, &mut wrong);
    assert!(wrong.is_empty(), "docs/configuration.md does not list the keys that there are; bless it");
}

/// The schema holds for what `read` takes. Patterns are left to the editors: here are types, names and lists.
#[test]
fn the_schema_takes_every_example_and_refuses_unknown_keys() {
    let schema: Json = serde_json::from_str(&schema()).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for example in entries(&root().join("config/examples"), "toml") {
        let text = fs::read_to_string(&example).unwrap();
        assert_eq!(refuses(&schema, &json_of_toml(&text)), None, "{}", example.display());
    }
    let check = |text: &str, wanted: &str| {
        assert_eq!(refuses(&schema, &json_of_toml(text)).as_deref(), Some(wanted), "{text}");
    };
    check("[containers.db]", "containers");
    check("[container.db]", "image");
    check("[container.'worker@a']\nimag = 'a'", "imag");
    check("[container.db]\nimage = 'a'\nports = []", "ports");
    check("[container.db]\nimage = 'a'\nlimits = { pids = 0 }", "0");
    check("[container.db]\nimage = 'a'\nlimits = { memory = 64 }", "64");
    check("[container.db]\nimage = 'a'\nnetwork_mode = 'bridge'", "\"bridge\"");
    check("[container.db]\nimage = 'a'\nvolumes = [{ type = 'bind' }]", "{\"type\":\"bind\"}");
    check("[host]\nmodules = [1]", "1");
}

/// What the schema refuses about `value`: the key that is missing or unknown, or the value.
fn refuses(schema: &Json, value: &Json) -> Option<String> {
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().all(|one| refuses(one, value).is_some()).then(|| value.to_string());
    }
    if let Some(words) = schema["enum"].as_array() {
        return (!words.contains(value)).then(|| value.to_string());
    }
    let right = match schema["type"].as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        other => panic!("{other}"),
    };
    let below =
        schema["minimum"].as_f64().is_some_and(|least| value.as_f64().is_some_and(|value| value < least));
    let above =
        schema["maximum"].as_f64().is_some_and(|most| value.as_f64().is_some_and(|value| value > most));
    if !right || below || above {
        return Some(value.to_string());
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
    if let Some(missing) = required.into_iter().find(|key| value.get(key).is_none()) {
        return Some(missing.to_owned());
    }
    let items = value.as_array().into_iter().flatten();
    let properties = value.as_object().into_iter().flatten();
    let unknown = |key: &String| (schema["additionalProperties"] == false).then(|| key.clone());
    let property = |(key, value): (&String, &Json)| match (
        &schema["properties"][key],
        &schema["additionalProperties"],
    ) {
        (Json::Null, Json::Object(_)) => refuses(&schema["additionalProperties"], value),
        (Json::Null, _) => unknown(key),
        (schema, _) => refuses(schema, value),
    };
    // The one pattern that there is: names without `@`.
    let whole = &schema["allOf"][0]["patternProperties"]["^[^@]*$"];
    let named = properties.clone().filter(|(name, _)| whole.is_object() && !name.contains('@'));
    let wholes = named.map(|(_, value)| refuses(whole, value));
    let items = items.map(|item| refuses(&schema["items"], item));
    items.chain(properties.map(property)).chain(wholes).flatten().next()
}

fn json_of_toml(text: &str) -> Json {
    fn json_of(value: &DeValue<'_>) -> Json {
        match value {
            DeValue::String(text) => Json::from(text.as_ref()),
            DeValue::Integer(number) => Json::from(number.as_str().parse::<i64>().unwrap()),
            DeValue::Float(number) => Json::from(number.as_str().parse::<f64>().unwrap()),
            DeValue::Boolean(flag) => Json::from(*flag),
            DeValue::Datetime(moment) => Json::from(moment.to_string()),
            DeValue::Array(items) => items.iter().map(|item| json_of(item.get_ref())).collect(),
            DeValue::Table(table) => of_table(table),
        }
    }
    fn of_table(table: &DeTable<'_>) -> Json {
        table.iter().map(|(key, value)| (key.get_ref().to_string(), json_of(value.get_ref()))).collect()
    }
    of_table(DeTable::parse(text).unwrap().get_ref())
}

/// Pieces that make a text look like a configuration, most of the time.
fn piece() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "[container.db]\n",
        "[container.'db@']\n",
        "[container.'db@a']\n",
        "replicas = 2\n",
        "user = '%i'\n",
        "[host]\n",
        "[host.network.lan]\n",
        "[volume.data]\n",
        "[[container.db.volumes]]\n",
        "image = ",
        "command = ",
        "depends_on = ",
        "limits = ",
        "memory = ",
        "match = ",
        "volumes = ",
        "sysctls.a.b = ",
        "\"dir:x\"\n",
        "\"64M\"\n",
        "\"500ms\"",
        "[\"db\"]\n",
        "{ name = \"a\" }\n",
        "{ ",
        " }\n",
        "[",
        "]\n",
        "\"\"\"",
        "'",
        "1\n",
        "-1\n",
        "1e400\n",
        "nan\n",
        "true\n",
        "2026-01-01\n",
        "0x10\n",
        "\n",
        ",",
        "=",
        ".",
        "#",
        "\r",
        "\u{feff}",
        "\t",
        "é",
        "漢",
        "\u{0}",
        "\\",
        "\"",
        "\"$:/@-\"\n",
        "\"/a:/b:ro\"\n",
        "\"a@sha256:0\"\n",
    ];
    prop_oneof![9 => proptest::sample::select(KNOWN).prop_map(str::to_owned), 1 => any::<String>()]
}

proptest! {
    #[test]
    fn reads_any_text_without_a_panic(texts in vec(vec(piece(), 0..40), 1..4)) {
        let source = |(index, pieces): (usize, Vec<String>)| {
            Source { path: format!("{index}.toml"), text: pieces.concat() }
        };
        let sources: Vec<Source> = texts.into_iter().enumerate().map(source).collect();
        let reading = read(&sources);
        for diagnostic in &reading.diagnostics {
            let shown = diagnostic.to_string();
            prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{shown:?}");
            let lines = sources.iter().find(|s| s.path == diagnostic.file).unwrap().text.split('\n').count();
            prop_assert!(diagnostic.line >= 1 && diagnostic.line <= lines, "{shown}");
        }
        // Nobody runs and is invalid, and no container is invalid for a reason that nobody can see.
        prop_assert!(reading.config.containers.keys().all(|name| !reading.config.invalid.contains_key(name)));
        prop_assert!(reading.config.invalid.is_empty() || reading.has_errors());
    }

    #[test]
    fn reads_any_value_of_any_key_without_a_panic(key in "[a-z_]{1,20}", value in any::<String>()) {
        let text = format!("[container.db]\nimage = {value:?}\n{key} = {value:?}\n[host]\n{key} = [{value:?}]\n");
        read(&[Source { path: "a.toml".to_owned(), text }]);
    }
}

/// Broken on purpose, as large as a file may be.
#[test]
fn says_a_bounded_number_of_things_about_a_file_of_garbage() {
    let check = |unit: &str| {
        let text = unit.repeat(((1 << 20) / unit.len()).max(1));
        let reading = read(&[Source { path: "a.toml".to_owned(), text }]);
        assert!(reading.has_errors(), "{unit:?}");
        assert!(reading.diagnostics.len() <= 256, "{unit:?}");
        assert!(reading.config.invalid.len() <= 2048, "{unit:?}");
    };
    check("= = =\n");
    check("a.b.c.d = 1\n");
    check("[");
    check("[[a]]\n");
    check("x = [[[[");
    check("\"");
    // As deep as the parser goes: eighty tables in braces, each under a name of eighty parts.
    let name = "a.".repeat(78) + "a";
    let deep = format!("{}{name} = 1{}", format!("{name} = {{ ").repeat(78), " }".repeat(78));
    check(&format!("{deep}\n"));
    let keys: String = (0..60_000).map(|index| format!("key{index} = 1\n")).collect();
    let containers: String = (0..40_000).map(|index| format!("[container.c{index}]\n")).collect();
    for text in [keys, containers] {
        let reading = read(&[Source { path: "a.toml".to_owned(), text }]);
        assert!(reading.diagnostics.len() <= 256 && reading.config.invalid.len() <= 2048);
    }
    let warnings = "[container.a]\nimage = 'a'\n".to_owned();
    let warnings: String = (0..300).map(|index| warnings.replace("a]", &format!("a{index}]"))).collect();
    assert!(read(&[Source { path: "a.toml".to_owned(), text: warnings + "x = 1\n" }]).has_errors());
    let large = Source { path: "a.toml".to_owned(), text: "#".repeat((1 << 20) + 1) };
    assert!(read(&[large]).diagnostics[0].message.contains("at most 1048576"));
}

fn read_texts(texts: &[(&str, &str)]) -> Reading {
    let source = |(path, text): &(&str, &str)| Source { path: (*path).to_owned(), text: (*text).to_owned() };
    read(&texts.iter().map(source).collect::<Vec<_>>())
}

#[test]
fn tables_of_one_container_may_stand_in_several_files() {
    let reading = read_texts(&[
        ("a.toml", "[container.web.limits]\nmemory = '64M'\n"),
        ("b.toml", "[container.web]\nimage = 'dir:web'\n"),
        ("c.toml", "[container.web.ulimits]\ncore = 0\n"),
    ]);
    assert_eq!(reading.diagnostics, []);
    let web = &reading.config.containers["web"];
    assert_eq!((web.limits.memory, web.ulimits.len()), (Some(64 << 20), 1));
    assert_eq!(web.declared_at, "b.toml:1");
}

#[test]
fn what_is_wrong_in_the_host_leaves_a_default_and_nothing_else() {
    let reading = read_texts(&[(
        "a.toml",
        "[host]\nhostname = 'a b'\nmodules = ['dummy']\npoweroff_timeout = '9d'\n\
         [host.network.lan]\nmatch = { name = 'eth0' }\nmtu = 1\naddresses = ['192.0.2.7/24', 'x']\n\
         gateway = '198.51.100.1'\n[host.network.wan]\nmatch = { name = 'eth0' }\n\
         [container.db]\nimage = 'dir:db'\n",
    )]);
    let host = &reading.config.host;
    assert_eq!((host.hostname.as_str(), host.modules.as_slice()), ("orlop", &[String::from("dummy")][..]));
    assert_eq!(host.poweroff_timeout.as_secs(), 60);
    assert_eq!(host.networks.keys().collect::<Vec<_>>(), ["lan"]);
    let lan = &host.networks["lan"];
    assert_eq!((lan.mtu, lan.addresses.len(), lan.gateways.len()), (None, 1, 0));
    assert!(reading.config.containers.contains_key("db"));
}

#[test]
fn on_failure_with_a_count_is_a_budget_that_ends_in_failed() {
    let reading = read_texts(&[(
        "a.toml",
        "[container.a]\nimage = 'dir:a'\nrestart = 'on-failure:3'\n\
         [container.b]\nimage = 'dir:b'\nrestart = 'on-failure:3'\nrestart_policy = { then = 'hold', window = '1h' }\n",
    )]);
    assert_eq!(reading.diagnostics, []);
    let policy = |name: &str| reading.config.containers[name].restart_policy;
    // Three restarts, as Docker counts: the fourth failure is one too many.
    assert_eq!((policy("a").max_attempts, policy("a").then), (Some(4), Exhausted::Fail));
    assert_eq!(policy("a").window, None);
    assert_eq!((policy("b").max_attempts, policy("b").then), (Some(4), Exhausted::Hold));
    assert_eq!(policy("b").window.unwrap().as_secs(), 3600);
}

#[test]
fn a_count_beyond_what_a_window_can_remember_has_no_window() {
    let check = |count: u32, more: &str, expected: usize| {
        let text = format!("[container.a]\nimage = 'dir:a'\nrestart = 'on-failure:{count}'\n{more}");
        let reading = read_texts(&[("a.toml", &text)]);
        assert_eq!(reading.diagnostics.len(), expected, "{text}");
    };
    check(100_000, "", 0);
    check(255, "restart_policy = { window = '1h' }", 0);
    check(256, "restart_policy = { window = '1h' }", 1);
}

#[test]
fn added_and_dropped_capabilities_never_overlap() {
    let check = |text: &str, add: &[&str], dropped: usize| {
        let reading = read_texts(&[("a.toml", &format!("[container.a]\nimage = 'dir:a'\n{text}"))]);
        assert_eq!(reading.diagnostics, [], "{text}");
        let container = &reading.config.containers["a"];
        assert_eq!(container.cap_add.0 & container.cap_drop.0, 0, "{text}");
        if !add.is_empty() {
            assert_eq!(container.cap_add.names().collect::<Vec<_>>(), add, "{text}");
        }
        assert_eq!(container.cap_drop.names().count(), dropped, "{text}");
    };
    check("cap_add = ['NET_RAW']", &["CAP_NET_RAW"], 0);
    check("cap_drop = ['ALL']\ncap_add = ['net_raw']", &["CAP_NET_RAW"], 40);
    check("cap_add = ['ALL']\ncap_drop = ['CAP_SYS_ADMIN', 'SYS_MODULE']", &[], 2);
}

#[test]
fn names_the_files_that_must_be_there() {
    let demo = read_path(&root().join("config/demo"));
    let named = |file: FileUse| (file.key, file.path, file.required);
    let found: Vec<_> = files(&demo.config).into_iter().map(named).collect();
    let wanted =
        [("container.nginx.image", "images/nginx.tar"), ("container.redis.image", "images/redis.tar")];
    assert_eq!(found, wanted.map(|(key, path)| (key.to_owned(), path.to_owned(), true)));
}
