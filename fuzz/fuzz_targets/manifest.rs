//! The documents of an image: index, manifest, config, docker's list, our store's index.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orlop::image::{DockerArchive, Document, ImageConfig, Platform, Store};

fuzz_target!(|bytes: &[u8]| {
    let platform = Platform { os: String::from("linux"), architecture: String::from("amd64") };
    match Document::parse("fuzz", bytes) {
        Ok(Document::Index(index)) => {
            let _ = index.pick("fuzz", Some("latest"), &platform);
            let _ = index.pick("fuzz", None, &platform);
        }
        Ok(Document::Manifest(manifest)) => {
            if let Ok(config) = ImageConfig::parse("fuzz", bytes) {
                let _ = manifest.check_config(&config);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let _ = ImageConfig::parse("fuzz", bytes).map(|config| config.check_platform(&platform));
    let _ = DockerArchive::parse(bytes, Some("a:b"));
    let _ = Store::parse(bytes);
});
