//! Configs of images as tools write them, whole, sparse and damaged.

use super::*;

fn id(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

#[test]
fn reads_all_that_an_image_may_want() {
    let text = format!(
        r#"{{"os":"linux","architecture":"amd64","config":{{
            "Entrypoint":["/e"],"Cmd":["a","b"],"Env":["PATH=/bin","X=a=b","BARE"],"User":"web:www",
            "WorkingDir":"/srv","StopSignal":"SIGQUIT","Volumes":{{"/data":{{}}}},"ExposedPorts":{{"80/tcp":{{}}}},
            "Labels":{{"k":"v"}},"Healthcheck":{{"Test":["CMD","x"],"Interval":5000000000}},"ArgsEscaped":true}},
            "rootfs":{{"type":"layers","diff_ids":["{}"]}},"history":[{{"created_by":"x"}}]}}"#,
        id("a")
    );
    let config = ImageConfig::parse("config", text.as_bytes()).unwrap();
    let healthcheck = serde_json::json!({"Test": ["CMD", "x"], "Interval": 5_000_000_000_u64});
    let expected = ImageConfig {
        os: "linux".into(),
        architecture: "amd64".into(),
        entrypoint: Some(vec!["/e".into()]),
        cmd: Some(vec!["a".into(), "b".into()]),
        env: vec![("PATH".into(), "/bin".into()), ("X".into(), "a=b".into())],
        user: Some("web:www".into()),
        working_dir: Some("/srv".into()),
        stop_signal: Some("SIGQUIT".into()),
        volumes: vec!["/data".into()],
        exposed_ports: vec!["80/tcp".into()],
        labels: [("k".into(), "v".into())].into(),
        healthcheck: super::super::healthcheck::healthcheck(healthcheck),
        diff_ids: vec![id("a")],
    };
    assert_eq!(config, expected);
}

#[test]
fn takes_what_go_writes_for_nothing() {
    fn check(run: &str) {
        let text = format!(r#"{{"config":{run},"rootfs":{{"type":"layers","diff_ids":null}}}}"#);
        assert_eq!(ImageConfig::parse("config", text.as_bytes()), Ok(ImageConfig::default()), "{run}");
    }
    check("null");
    check("{}");
    check(
        r#"{"Entrypoint":null,"Cmd":null,"Env":null,"Volumes":null,"Labels":null,"User":"","WorkingDir":""}"#,
    );
    check(r#"{"Entrypoint":[],"Cmd":[]}"#);
}

#[test]
fn refuses_a_wrong_config_and_says_where() {
    fn check(input: &str, expected: &str) {
        assert_eq!(ImageConfig::parse("config", input.as_bytes()).unwrap_err().to_string(), expected);
    }
    check("{}", "config: missing field `rootfs` at line 1 column 2");
    let kind = r#"{"rootfs":{"type":"squash","diff_ids":[]}}"#;
    check(kind, "config: rootfs.type is `squash`, only `layers` is known");
    let nul = r#"{"config":{"Env":["A=\u0000"]},"rootfs":{"type":"layers","diff_ids":[]}}"#;
    check(nul, "config: config.Env: a NUL in the text");
    let many = vec![format!("\"{}\"", id("a")); 129].join(",");
    let many = format!(r#"{{"rootfs":{{"type":"layers","diff_ids":[{many}]}}}}"#);
    check(&many, "config: 129 layers, more than the 128 that are taken");
}

#[test]
fn refuses_an_image_for_another_machine() {
    let platform = Platform { os: "linux".into(), architecture: "amd64".into() };
    let config = |os: &str, architecture: &str| ImageConfig {
        os: os.into(),
        architecture: architecture.into(),
        ..ImageConfig::default()
    };
    assert_eq!(config("linux", "amd64").check_platform(&platform), Ok(()));
    assert_eq!(config("", "").check_platform(&platform), Ok(()));
    let error = config("windows", "amd64").check_platform(&platform).unwrap_err();
    assert_eq!(error.to_string(), "config: an image for windows/amd64, not for linux/amd64");
}
