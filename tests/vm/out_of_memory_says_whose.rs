//! One that is killed for want of memory says whether it was its own limit, or the machine's memory.

use serde_json::{Value, json};

use crate::common::{container, world};

#[test]
fn out_of_memory_says_whose() {
    let config = container("own", "hog 64", "restart = \"no\"\nlimits = { memory = \"24M\", swap = \"0M\" }")
        + &container("machine", "hog 100000", "restart = \"no\"");
    let machine = world(&config).boot();
    let cause = |name: &str| machine.wait(name, "failed")["cause"].clone();
    let own = cause("own");
    let facts = |cause: &Value| ["kind", "scope", "limit_bytes"].map(|key| cause[key].clone());
    assert_eq!(facts(&own), [json!("oom"), json!("container"), json!(24 << 20)]);
    assert_eq!(own["text"], "ran out of memory (its limit of 24 MiB) and was killed");
    let all = cause("machine");
    assert_eq!(facts(&all), [json!("oom"), json!("machine"), Value::Null]);
    assert_eq!(all["text"], "was killed because the machine ran out of memory");
    let ends = machine.ok("Why", json!({ "name": "own" }))["ends"].clone();
    assert_eq!((&ends[0]["oom"], &ends[0]["signal"]), (&json!(true), &json!("SIGKILL")), "{ends}");
    machine.power_off();
}
