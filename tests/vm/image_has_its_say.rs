//! What an image says of its program holds where the configuration says nothing, and loses where it
//! does; variables come from the image, then the env files, then the configuration.

use std::fs;
use std::path::Path;
use std::process::Command;

use orlop::image::Digest;
use serde_json::json;

use crate::common::{section, world};

const CONFIG: &str = r#"
[container.plain]
image = "docker-archive:image.tar"

[container.changed]
image       = "docker-archive:image.tar"
command     = ["each", "env", ",", "ids"]
env_file    = ["app.env"]
environment = { LAST = "toml" }
user        = "0"
working_dir = "/"
stop_grace_period = "10m"

[container.deaf]
image   = "docker-archive:image.tar"
command = ["ignore-term"]
stop_grace_period = "10m"
"#;

#[test]
fn image_has_its_say() {
    let world = world(CONFIG);
    make_image(&world.config());
    fs::write(world.config().join("app.env"), "MIDDLE=file\nLAST=file\n").unwrap();
    let machine = world.boot();
    let path = "PATH=/image/bin";

    let plain = machine.logged("plain", "sleeping");
    let env = [path, "FIRST=image", "MIDDLE=image", "LAST=image", "HOME=/"];
    assert_eq!(section(&plain, "env").lines().collect::<Vec<_>>(), env);
    assert_eq!(section(&plain, "where"), "cwd /data\nhostname plain\n");
    assert!(section(&plain, "ids").starts_with("Uid 101 101 101 101\nGid 102 102 102 102\n"), "{plain}");
    // A volume that the image declares, with the owner that its folder has.
    assert_eq!(section(&plain, "stat /data"), "/data 750 101 102\n");
    assert!(section(&plain, "mounts").lines().any(|line| line.contains(" /data ")), "{plain}");

    let changed = machine.logged("changed", "== end");
    let env = [path, "FIRST=image", "MIDDLE=file", "LAST=toml", "HOME=/root"];
    assert_eq!(section(&changed, "env").lines().collect::<Vec<_>>(), env);
    assert!(section(&changed, "ids").starts_with("Uid 0 0 0 0\nGid 0 0 0 0\n"), "{changed}");

    // The image's stop signal ends it at once; SIGTERM would take the whole grace period.
    machine.logged("deaf", "ignoring");
    machine.ok("Stop", json!({ "name": "deaf" }));
    machine.wait("deaf", "exited");
    machine.power_off();
}

/// As `docker save` writes it, of the payload's root.
fn make_image(config: &Path) {
    let image = config.join("image");
    fs::create_dir(&image).unwrap();
    let tar = |file: &Path, folder: &Path| {
        let status = Command::new("tar").arg("-cf").arg(file).arg("-C").arg(folder).arg(".").status();
        assert!(status.unwrap().success());
    };
    let payload = config.join("payload");
    std::os::unix::fs::chown(payload.join("data"), Some(101), Some(102)).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o750);
    fs::set_permissions(payload.join("data"), mode).unwrap();
    tar(&image.join("layer.tar"), &payload);
    let diff_id = Digest::of(&fs::read(image.join("layer.tar")).unwrap());
    let looks = "each env , where , ids , stat /data , mounts , sleep";
    let text = json!({
        "os": "linux",
        "architecture": "amd64",
        "config": {
            "Entrypoint": ["/payload"],
            "Cmd": looks.split(' ').collect::<Vec<_>>(),
            "Env": ["PATH=/image/bin", "FIRST=image", "MIDDLE=image", "LAST=image"],
            "User": "web",
            "WorkingDir": "/data",
            "StopSignal": "SIGKILL",
            "Volumes": { "/data": {} },
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", diff_id.hex())] },
    });
    fs::write(image.join("config.json"), text.to_string()).unwrap();
    let manifest = json!([{ "Config": "config.json", "RepoTags": ["test:latest"], "Layers": ["layer.tar"] }]);
    fs::write(image.join("manifest.json"), manifest.to_string()).unwrap();
    tar(&config.join("image.tar"), &image);
}
