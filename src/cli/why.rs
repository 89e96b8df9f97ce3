//! `orlop why`: the machine's own sentences, or all that they are made of.

use orlop::control::Request;
use serde_json::Value;

use super::arguments::WhyArguments;
use super::client::Client;
use super::failure::Failure;
use super::screen::{Screen, printable};

pub(crate) fn why(client: &mut Client, screen: &mut Screen<'_>, asked: &WhyArguments) -> Result<(), Failure> {
    let request = match asked.subject.as_str() {
        "boot" if !asked.container => Request::WhyBoot,
        "shutdown" if !asked.container => Request::WhyShutdown,
        name => Request::Why { name: name.to_owned() },
    };
    let answer = client.ask(&request)?;
    if asked.json.json {
        return screen.json(&answer);
    }
    let lines = answer.get("text").and_then(Value::as_array).into_iter().flatten();
    for line in lines.filter_map(Value::as_str) {
        screen.line(&printable(line))?;
    }
    Ok(())
}
