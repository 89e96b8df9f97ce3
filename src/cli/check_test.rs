//! `orlop check` on folders that are made for it.

use super::testing::run_alone;

/// A folder with these files, and what is made of `check` with these words; `{}` is the folder.
#[track_caller]
fn judge(files: &[(&str, &str)], words: &str) -> (u8, String, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let path = folder.path().display().to_string();
    let outcome = run_alone(&format!("check {}", words.replace("{}", &path)));
    (outcome.code, outcome.out.replace(&path, "{}"), outcome.err.replace(&path, "{}"))
}

const WEB: &str = "[container.web]\nimage = \"dir:root\"\nenv_file = [\"web.env\", \"/on/the/machine\"]\n";
const GOOD: &str = "the configuration is good; it declares one container\n";

#[test]
fn says_where_the_mistakes_are() {
    let db = ("b.toml", "[container.db]\nimag = \"dir:root\"\n");
    let (code, out, err) = judge(&[("a.toml", WEB), db, ("c.txt", "?")], "--no-files {}");
    assert_eq!((code, err.as_str()), (1, "error: the configuration has 2 mistakes\n"));
    assert!(out.contains("error: a container has no key `imag`\n --> {}/b.toml:2:1\n"), "{out}");
    let (code, out, err) = judge(&[("a.toml", WEB)], "--no-files {}/a.toml");
    assert_eq!((code, out.as_str(), err.as_str()), (0, GOOD, ""));
}

#[test]
fn looks_for_files_beside_the_configuration() {
    let expected = "\
error: the image `root` cannot be found: there is no such file
 --> {}/a.toml:1: container.web.image

error: the environment file `web.env` cannot be found: there is no such file
 --> {}/a.toml:1: container.web.env_file

";
    for words in ["{}", "{}/a.toml"] {
        let (code, out, err) = judge(&[("a.toml", WEB)], words);
        assert_eq!((code, out.as_str()), (1, expected));
        assert_eq!(err, "error: the configuration has 2 mistakes\n");
    }
    let (code, out, _) = judge(&[("a.toml", WEB), ("root", ""), ("web.env", "")], "{}");
    assert_eq!((code, out.as_str()), (0, GOOD));
    let web = "[container.web]\nimage = \"dir:a.toml\"\nseccomp = \"own.json\"\n";
    let expected = "error: the seccomp profile `own.json` cannot be found: there is no such file\n";
    let (_, out, _) = judge(&[("a.toml", web)], "{}");
    assert!(out.starts_with(expected), "{out}");
    let tls = "[host.log]\nforward = [{ to = \"tls://a.example:6514\", ca = \"ca.pem\", cert = \"m.pem\", key = \"m.key\" }]\n";
    let pem = "-----BEGIN CERTIFICATE-----\nMAMCAQU=\n-----END CERTIFICATE-----\n";
    let expected = "\
error: the file of certificates `ca.pem` cannot be used: there is no certificate in it, as PEM has it
 --> host.log.forward[0].ca

error: the key `m.key` cannot be found: there is no such file
 --> host.log.forward[0].key

";
    let (code, out, _) = judge(&[("a.toml", tls), ("ca.pem", "x"), ("m.pem", pem)], "{}");
    assert_eq!((code, out.as_str()), (1, expected));
}

#[test]
fn leaves_hidden_files_to_their_editors() {
    let (code, out, _) = judge(&[("a.toml", WEB), (".a.toml", "half of a")], "--no-files {}");
    assert_eq!((code, out.as_str()), (0, GOOD));
}

#[test]
fn json_is_a_list_of_mistakes() {
    let (code, out, err) = judge(&[("a.toml", "[container.web]\nimage = 1\n")], "--json {}");
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, err.as_str()), (1, "error: the configuration has a mistake\n"));
    assert_eq!(found[0]["severity"], "error");
    assert_eq!(found[0]["file"], "{}/a.toml");
    assert_eq!(found[0]["line"], 2);
    assert_eq!(found[0]["key"], "container.web.image");
    assert_eq!(judge(&[("a.toml", "")], "--json {}").1, "[]\n");
    let (_, out, _) = judge(&[("a.toml", "\n[container.web]\nimage = \"dir:root\"\n")], "--json {}");
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&found[0]["file"], &found[0]["line"]), (&"{}/a.toml".into(), &2.into()));
}

#[test]
fn what_cannot_be_read_is_told_in_one_line() {
    let told = |files: &[(&str, &str)], words| judge(files, words).2;
    assert_eq!(told(&[], "{}/x"), "error: cannot read {}/x: there is no such file\n");
    assert_eq!(told(&[("x", "")], "{}"), "error: there is no *.toml in {}\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, b"\xff").unwrap();
    let outcome = run_alone(&format!("check {}", path.display()));
    assert_eq!(outcome.err, format!("error: cannot read {}: it is not UTF-8\n", path.display()));
}

#[test]
fn the_schema_is_json() {
    let schema: serde_json::Value = serde_json::from_str(&run_alone("schema").out).unwrap();
    assert!(schema["properties"]["container"].is_object());
}
