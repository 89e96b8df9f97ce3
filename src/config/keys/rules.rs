//! `restart_rules` of a container.

use super::super::life::{RestartRule, Sentence};
use super::super::model::Container;
use super::super::shape::{Key, Keys, Shape, Text, refused, word};
use super::super::tree::Node;
use super::super::value::end;
use alloc::vec::Vec;

static END: Text = Text { what: "a way to end", pattern: "", check: |text| end::pattern(text).map(drop) };

static RULE: Keys<RestartRule> = Keys {
    what: "a restart rule",
    keys: &[
        Key::new(
            "on",
            Shape::OneOrMore(&Shape::Any(&[Shape::Text(&END), Shape::Integer { min: 0, max: 255 }])),
            "restart_rules = [{ on = [3, \"100-110\", \"SIGSEGV\", \"oom\"], then = \"fail\" }]",
            "Ends: an exit code, a range of them, a signal's name, `oom`, `probe` (its health check failed), `watchdog`, or \
             `start` (it could not be started, or did not become ready).",
            |node, rule: &mut RestartRule| {
                let texts = node.each().iter().filter_map(Node::scalar);
                rule.on = texts.filter_map(|text| end::pattern(text).ok()).collect();
            },
        )
        .required(),
        Key::new(
            "then",
            Shape::Word {
                words: &[
                    word("restart", "It starts again after its pause, whatever `restart` says."),
                    word("success", "It ended well, as with code 0."),
                    word("fail", "It is `failed`, until a person starts it."),
                    word("reboot", "The machine is rebooted, unless it was booted in the last ten minutes."),
                ],
                refused: &[refused("stop", "write \"success\", or \"fail\""), refused("ok", "write \"success\"")],
            },
            "restart_rules = [{ on = 3, then = \"success\" }]",
            "What follows.",
            |node, rule: &mut RestartRule| {
                rule.then = match node.text() {
                    Some("success") => Sentence::Success,
                    Some("fail") => Sentence::Fail,
                    Some("reboot") => Sentence::Reboot,
                    Some(_) | None => Sentence::Restart,
                };
            },
        )
        .required(),
    ],
    refused: &[refused("exit_code", "write on = 3"), refused("action", "write then = \"restart\"")],
    rules: &[],
};

const RULES: Shape = Shape::List(&Shape::Table(&RULE));

pub(crate) const RESTART_RULES: Key<Container> = Key::new(
    "restart_rules",
    RULES,
    "restart_rules = [{ on = [3, \"SIGSEGV\"], then = \"fail\" }, { on = \"oom\", then = \"restart\" }]",
    "What follows ends of certain kinds, whatever `restart` says. The first rule that fits counts. An end that somebody \
     asked for is not looked at.",
    |node, container: &mut Container| {
        let rules = node.each().iter().map(|item| {
            let mut rule = RestartRule { on: Vec::new(), then: Sentence::Restart };
            super::fill(&RULE, item, &mut rule);
            rule
        });
        container.restart_rules = rules.collect();
    },
)
.default("[]");
