//! `stats` shows what the kernel counts, and `top` the processes, as the container knows them.

use crate::common::outside::Outside;
use crate::common::{container, world};

#[test]
fn figures_are_the_kernels() {
    let config = container("hog", "hog 8", "limits = { memory = \"64M\", pids = 77 }\nuser = \"web\"")
        + &container("web", "write-forever tick", "log = { rate = \"4K\" }")
        + &container("done", "exit 0", "restart = \"no\"");
    let machine = world(&config).boot();
    machine.logged("hog", "holding");
    machine.wait("done", "exited");
    let orlop = Outside::of(&machine);

    let first = orlop.json("stats --json");
    let names: Vec<&str> =
        first["containers"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["hog", "web"], "{first:#}");
    let hog = &first["containers"][0];
    let bytes = |key: &str| hog[key].as_u64().unwrap();
    for key in ["memory_bytes", "memory_peak_bytes", "memory_anon_bytes"] {
        assert!((8 << 20..16 << 20).contains(&bytes(key)), "{key}: {}", bytes(key));
    }
    assert_eq!((bytes("memory_limit_bytes"), bytes("processes_limit")), (64 << 20, 77));
    assert_eq!((bytes("processes"), bytes("oom_kills")), (1, 0));
    for resource in ["cpu", "memory", "io"] {
        let stall = &hog[format!("{resource}_pressure")]["some"];
        assert!(stall["avg10"].is_number() && stall["total_us"].is_u64(), "{resource}: {hog:#}");
    }
    let web = |stats: &serde_json::Value| stats["containers"][0]["cpu_us"].as_u64().unwrap();
    let before = web(&orlop.json("stats --json web"));
    machine.until("web", "to use the processor", |_| web(&orlop.json("stats --json web")) > before);

    let table = orlop.ok("stats");
    assert!(table.starts_with("NAME") && table.contains("64.0 MiB") && table.contains('%'), "{table}");
    // One that does not run has no figures, and is no mistake.
    assert!(orlop.json("stats --json done")["containers"][0]["memory_bytes"].is_null());

    let top = orlop.json("top --json hog");
    let task = &top["processes"][0];
    let expected = serde_json::json!([1, "main", 101, "web", "/payload hog 8", 1]);
    let found = ["pid_inside", "cgroup", "uid", "user", "command", "threads"].map(|key| task[key].clone());
    assert_eq!(serde_json::json!(found), expected, "{top:#}");
    assert_eq!(task["pid"], machine.container("hog").unwrap()["pid"]);
    assert!(task["memory_bytes"].as_u64().unwrap() > 8 << 20 && task["started_us"].as_u64().unwrap() > 0);
    assert!(orlop.ok("top hog").contains("/payload hog 8"));

    orlop.fails("top done", 1, "does not run, it is exited");
    orlop.fails("stats wbe", 1, "did you mean `web`?");
    machine.power_off();
}
