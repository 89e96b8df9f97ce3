//! The image's config: what it wants to run, and what its layers are.
//!
//! Refuses an image for another machine, layers of an unknown kind, and text with a NUL in it
//! (it could reach no program).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;
use serde_json::Value;

use crate::config::HealthCheck;

use super::json::{null_is_default, parse_object};
use super::{Digest, Error, MAX_LAYERS, Platform};

/// Checked; what the image leaves out is empty or `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ImageConfig {
    pub os: String,
    pub architecture: String,
    pub entrypoint: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    /// Name and value. An entry without `=` can be read by no program and is left out.
    pub env: Vec<(String, String)>,
    /// `user[:group]`, names or numbers; `None` is root.
    pub user: Option<String>,
    pub working_dir: Option<String>,
    /// As written: `SIGTERM`, `SIGRTMIN+3`, `15`.
    pub stop_signal: Option<String>,
    /// Paths in the container.
    pub volumes: Vec<String>,
    /// `80/tcp`.
    pub exposed_ports: Vec<String>,
    pub labels: BTreeMap<String, String>,
    pub healthcheck: Option<HealthCheck>,
    /// One for each layer, lowest first: the digest of its tar without compression.
    pub diff_ids: Vec<Digest>,
}

#[derive(Deserialize)]
struct Text {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default, deserialize_with = "null_is_default")]
    config: Run,
    rootfs: Rootfs,
}

#[derive(Deserialize)]
struct Rootfs {
    #[serde(rename = "type")]
    kind: String,
    #[serde(deserialize_with = "null_is_default")]
    diff_ids: Vec<Digest>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Run {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    user: Option<String>,
    working_dir: Option<String>,
    stop_signal: Option<String>,
    volumes: Option<BTreeMap<String, Value>>,
    exposed_ports: Option<BTreeMap<String, Value>>,
    labels: Option<BTreeMap<String, String>>,
    healthcheck: Option<Value>,
}

impl ImageConfig {
    pub fn parse(place: &str, bytes: &[u8]) -> Result<Self, Error> {
        let text: Text = parse_object(place, bytes)?;
        if text.rootfs.kind != "layers" {
            return Err(Error::new(
                place,
                format!("rootfs.type is `{}`, only `layers` is known", text.rootfs.kind),
            ));
        }
        if text.rootfs.diff_ids.len() > MAX_LAYERS {
            let count = text.rootfs.diff_ids.len();
            return Err(Error::new(
                place,
                format!("{count} layers, more than the {MAX_LAYERS} that are taken"),
            ));
        }
        text.config.check(place)?;
        let Run {
            entrypoint,
            cmd,
            env,
            user,
            working_dir,
            stop_signal,
            volumes,
            exposed_ports,
            labels,
            healthcheck,
        } = text.config;
        let pair =
            |entry: String| entry.split_once('=').map(|(name, value)| (name.to_string(), value.to_string()));
        let is_given = |text: &String| !text.is_empty();
        Ok(Self {
            os: text.os,
            architecture: text.architecture,
            entrypoint: entrypoint.filter(|words| !words.is_empty()),
            cmd: cmd.filter(|words| !words.is_empty()),
            env: env.unwrap_or_default().into_iter().filter_map(pair).collect(),
            user: user.filter(is_given),
            working_dir: working_dir.filter(is_given),
            stop_signal: stop_signal.filter(is_given),
            volumes: volumes.unwrap_or_default().into_keys().collect(),
            exposed_ports: exposed_ports.unwrap_or_default().into_keys().collect(),
            labels: labels.unwrap_or_default(),
            healthcheck: healthcheck.and_then(super::healthcheck::healthcheck),
            diff_ids: text.rootfs.diff_ids,
        })
    }

    /// An image that does not say what it is for is taken.
    pub fn check_platform(&self, platform: &Platform) -> Result<(), Error> {
        let fits = |has: &str, wanted: &str| has.is_empty() || has == wanted;
        if fits(&self.os, &platform.os) && fits(&self.architecture, &platform.architecture) {
            return Ok(());
        }
        let Platform { os, architecture } = platform;
        Err(Error::new(
            "config",
            format!("an image for {}/{}, not for {os}/{architecture}", self.os, self.architecture),
        ))
    }
}

impl Run {
    fn check(&self, place: &str) -> Result<(), Error> {
        let lists = [("Entrypoint", &self.entrypoint), ("Cmd", &self.cmd), ("Env", &self.env)];
        let words =
            [("User", &self.user), ("WorkingDir", &self.working_dir), ("StopSignal", &self.stop_signal)];
        let all = lists.iter().flat_map(|(key, list)| list.iter().flatten().map(move |text| (*key, text)));
        let all = all.chain(words.iter().filter_map(|(key, text)| text.as_ref().map(|text| (*key, text))));
        for (key, text) in all {
            if text.contains('\0') {
                return Err(Error::new(format!("{place}: config.{key}"), "a NUL in the text"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
