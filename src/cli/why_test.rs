//! `orlop why` before a machine of canned answers.

use orlop::control::encode_reply;
use serde_json::json;

use super::testing::Machine;

#[test]
fn prints_the_machines_sentences_and_asks_about_what_is_meant() {
    let answer = || encode_reply(&json!({ "text": ["web runs.", "  It is\u{1b}[31m well."], "of_later": 1 }));
    let check = |line: &str, call: &str| {
        let machine = Machine::new(vec![answer()]);
        let found = machine.run(line);
        assert_eq!((found.code, found.err.as_str()), (0, ""));
        assert_eq!(machine.calls(), [call], "{line}");
        found.out
    };
    let out = check("why web", r#"Why {"name":"web"}"#);
    assert!(out.starts_with("web runs.\n  It is") && !out.contains('\u{1b}'), "{out:?}");
    check("why boot", "WhyBoot");
    check("why shutdown", "WhyShutdown");
    check("why -c boot", r#"Why {"name":"boot"}"#);
    let json: serde_json::Value =
        serde_json::from_str(&check("why --json web", r#"Why {"name":"web"}"#)).unwrap();
    assert_eq!(json["of_later"], 1);
}
