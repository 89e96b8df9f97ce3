//! One key changes, and not a letter beside it.

use super::*;

#[track_caller]
fn check(text: &str, key: &str, value: &str, expected: &str) {
    let mut sources = vec![Source { path: "test.toml".into(), text: text.into() }];
    assert_eq!(set(&mut sources, key, value).as_deref(), Ok("test.toml"), "{text}");
    assert_eq!(sources[0].text, expected);
    // Once more: the same.
    set(&mut sources, key, value).unwrap();
    assert_eq!(sources[0].text, expected);
}

#[track_caller]
fn refuses(text: &str, key: &str, value: &str, expected: &str) {
    let mut sources = vec![Source { path: "test.toml".into(), text: text.into() }];
    let error = set(&mut sources, key, value).unwrap_err();
    assert!(error.contains(expected), "{error}");
    assert_eq!(sources[0].text, text);
}

const WEB: &str = "\
# The shop.
[container.web]  # in front
image   = \"dir:web\"   # from here
command = [
    \"serve\", # now
    \"--all\",
]
limits  = { memory = \"64M\" } # enough
log.rate = \"1M\"

# Behind.
[container.db]
image = 'dir:db'
";

#[test]
fn a_value_is_replaced_where_it_stands() {
    let image = WEB.replace("\"dir:web\" ", "\"dir:other\" ");
    check(WEB, "container.web.image", "dir:other", &image);
    check(WEB, "container.web.limits.memory", "\"128M\"", &WEB.replace("64M", "128M"));
    check(WEB, "container.web.limits", "{ pids = 9 }", &WEB.replace("{ memory = \"64M\" }", "{ pids = 9 }"));
    check(WEB, "container.web.log.rate", "2M", &WEB.replace("1M", "2M"));
    let command = "[\n    \"serve\", # now\n    \"--all\",\n]";
    check(WEB, "container.web.command", "[\"x\"]", &WEB.replace(command, "[\"x\"]"));
    check("a.'b c'.d = 1", "a.\"b c\".d", "2", "a.'b c'.d = 2");
}

#[test]
fn a_key_that_is_not_there_comes_below_its_neighbours_or_into_the_braces() {
    let line = |line: &str| WEB.replace("log.rate = \"1M\"\n", &format!("log.rate = \"1M\"\n{line}\n"));
    check(WEB, "container.web.init", "true", &line("init = true"));
    check(WEB, "container.web.log.memory", "1M", &line("log.memory = \"1M\""));
    check(WEB, "container.web.limits.cpus", "0.5", &WEB.replace("\"64M\" }", "\"64M\", cpus = 0.5 }"));
    check(WEB, "container.db.user", "1:1", &format!("{WEB}user = \"1:1\"\n"));
    check(WEB, "container.new.image", "dir:new", &format!("{WEB}\n[container.new]\nimage = \"dir:new\"\n"));
    check(WEB, "host.log.memory", "1M", &format!("{WEB}\n[host]\nlog.memory = \"1M\"\n"));
    check("[host]", "host.hostname", "a b", "[host]\nhostname = \"a b\"");
    check("[host]\r\n[volume.a]\r\n", "host.hostname", "a", "[host]\r\nhostname = \"a\"\r\n[volume.a]\r\n");
    check("[a.b]\nc = {}\n", "a.b.c.d.e", "1", "[a.b]\nc = { d.e = 1 }\n");
    check("[a.b]\n  c = 1\n[a.b.d]\ne = 1\n", "a.b.f", "1", "[a.b]\n  c = 1\n  f = 1\n[a.b.d]\ne = 1\n");
    check("[[a.b]]\nc = 1\n", "host.x", "1", "[[a.b]]\nc = 1\n\n[host]\nx = 1\n");
    check("", "container.\"a b\".x", "say \"no\"", "[container.\"a b\"]\nx = \"say \\\"no\\\"\"\n");
}

#[test]
fn the_file_that_knows_most_of_it_is_the_one() {
    let file = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let mut sources = vec![file("a.toml", "[host]\n"), file("b.toml", "[container.web]\nimage = 'x'\n")];
    assert_eq!(set(&mut sources, "container.web.init", "true").as_deref(), Ok("b.toml"));
    assert_eq!(set(&mut sources, "volume.data.size", "1M").as_deref(), Ok("a.toml"));
    assert_eq!(sources[0].text, "[host]\n\n[volume.data]\nsize = \"1M\"\n");
    let mut none = Vec::new();
    assert_eq!(set(&mut none, "host.hostname", "deck").as_deref(), Ok("orlop.toml"));
    assert_eq!(none[0].text, "[host]\nhostname = \"deck\"\n");
}

#[test]
fn what_would_change_something_else_is_refused() {
    refuses(WEB, "container.web", "1", "is a table");
    refuses(WEB, "container.web.log", "{ rate = '1M' }", "is a table");
    refuses(WEB, "container.web.image.x", "1", "is a value");
    refuses(WEB, "container", "1", "is a table");
    refuses("", "volume.data", "1", "is a table");
    for key in ["", "a..b", "a = 1\nb", "a = 1 #", "[a]", "a.b = 0\nc", "a'"] {
        refuses(WEB, key, "1", "is no key");
    }
    refuses(WEB, "host.x", "[1", "not TOML");
    refuses("a = [1", "host.x", "1", "test.toml is not TOML");
    refuses("container.web.image = 'x'\n", "container.web.init", "true", "orlop config edit");
    let deep = "a.".repeat(40) + "b";
    refuses("", &deep, "1", "is no key");
}

#[test]
fn what_is_not_toml_is_a_text() {
    for (typed, written) in [
        ("128M", "\"128M\""),
        ("5", "5"),
        ("true", "true"),
        (" 'x' ", "'x'"),
        ("a\nb", "\"a\\u000Ab\""),
        ("1\nx = 2", "\"1\\u000Ax = 2\""),
        ("1 # one", "\"1 # one\""),
        ("", "\"\""),
    ] {
        check("[a]\nb = 0\n", "a.b", typed, &format!("[a]\nb = {written}\n"));
    }
}
