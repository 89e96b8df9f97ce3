//! `ConfigDrift`, `ConfigHistory`: the configuration in force beside the machine's folder and the kernel, and beside those
//! before it.

use std::collections::BTreeMap;
use std::time::Duration;

use orlop::control::{
    ConfigFile, ConfigVersion, DriftReply, DriftingFile, Error, FileDrift, HistoryReply, PlanReply,
    encode_reply,
};
use orlop::ordered::Ordered;
use orlop::supervisor::Plan;

use super::versions;
use crate::agent::Agent;
use crate::agent::configuration::read_folder;
use crate::agent::control::CallId;
use crate::agent::lasting::pointer;

/// Of what one configuration changed: more than fits on a screen is not read.
const MOST_CHANGES: usize = 32;

impl Agent {
    /// Nothing is touched. Files that say the same in other words, or whose mistakes keep them out of force, drift too.
    pub fn tell_drift(&mut self, call: CallId, now: Duration) {
        let folder = match self.wished(call, false) {
            Ok(folder) => folder,
            Err(error) => return self.server.fail(now, call, &error),
        };
        let files = drifting(&self.reloading.current.files, &folder);
        let (_, PlanReply { number, containers, host, mistakes }) = self.judge(&folder);
        let notice = self.reloading.current.notice.clone();
        let beside = self.beside_the_kernel();
        self.errand(call, now, move || {
            let kernel = beside.differences();
            Ok(encode_reply(&DriftReply { number, files, containers, host, mistakes, kernel, notice }))
        });
    }

    pub fn tell_history(&mut self, call: CallId, now: Duration) {
        let current = &self.reloading.current;
        let others = versions::but(current.number).into_iter().map(|it| (it.number, it.origin));
        let all = others.chain([(current.number, current.origin.clone())]);
        let versions = all.map(|(number, origin)| {
            let since = origin.since(&self.clock);
            ConfigVersion { number, since, by: origin.by, changes: origin.changes }
        });
        let reply = HistoryReply {
            versions: versions.collect(),
            on_disk: self.lasting.on_disk,
            notice: current.notice.clone(),
        };
        self.server.reply(now, call, &reply);
    }

    /// Those that the machine was built with.
    pub(super) fn built_in_files(&self) -> Result<Vec<ConfigFile>, Error> {
        let (files, errors) = read_folder(&self.boot.config_dir);
        if let Some(reason) = errors.into_iter().next() {
            return Err(Error::BadConfiguration { reason });
        }
        // A folder that somebody has written to is another one: `orlop reload` takes it.
        let known = self.reloading.current.built_in.as_ref();
        match known.is_none_or(|known| *known == pointer::digest(&files)) {
            true => Ok(files),
            false => Err(Error::NotNow {
                reason: format!("{} is not as the machine was built", self.boot.config_dir),
            }),
        }
    }

    /// The text of the one with this number.
    pub(super) fn earlier_files(&self, number: u64) -> Result<Vec<ConfigFile>, Error> {
        let current = self.reloading.current.number;
        if number == current {
            return Err(Error::NotNow { reason: format!("configuration {number} is in force") });
        }
        if let Some(version) = versions::find(number) {
            return Ok(version.files);
        }
        let kept: Vec<String> = versions::but(current).iter().map(|it| it.number.to_string()).collect();
        let kept = if kept.is_empty() { "none is".into() } else { format!("{} are", kept.join(", ")) };
        Err(Error::NotNow { reason: format!("configuration {number} is not kept; {kept}") })
    }
}

/// Which files of `folder` are not as they are in force, by name.
fn drifting(in_force: &[ConfigFile], folder: &[ConfigFile]) -> Vec<DriftingFile> {
    let texts = |files: &[ConfigFile]| -> BTreeMap<String, String> {
        files.iter().map(|file| (file.path.clone(), file.text.clone())).ordered()
    };
    let (before, after) = (texts(in_force), texts(folder));
    let drift = |path: &String| match (before.get(path), after.get(path)) {
        (None, _) => Some(FileDrift::Added),
        (Some(_), None) => Some(FileDrift::Removed),
        (Some(before), Some(after)) => (before != after).then_some(FileDrift::Changed),
    };
    let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    let found = paths.into_iter();
    found.filter_map(|path| Some(DriftingFile { path: path.clone(), drift: drift(path)? })).collect()
}

/// What a plan is remembered by.
pub fn summary(plan: &Plan) -> Vec<String> {
    let keys = |keys: &[orlop::config::KeyChange]| {
        keys.iter().map(|change| change.key).filter(|key| !key.is_empty()).collect::<Vec<_>>().join(", ")
    };
    let containers = plan.containers.iter().map(|it| {
        let line = format!("{} {}: {}", it.action.word(), it.name, keys(&it.keys));
        line.trim_end_matches(": ").to_owned()
    });
    let host = plan.host.iter().map(|change| change.key.to_owned());
    let mut lines: Vec<String> = containers.chain(host).collect();
    let more = lines.len().saturating_sub(MOST_CHANGES);
    if more > 0 {
        lines.truncate(MOST_CHANGES);
        lines.push(format!("and {more} more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_drift_by_their_text_and_by_being_there() {
        let file = |path: &str, text: &str| ConfigFile { path: path.into(), text: text.into() };
        let in_force = [file("a.toml", "1"), file("b.toml", "2"), file("d.toml", "4")];
        let folder = [file("b.toml", "2 # two"), file("c.toml", "3"), file("d.toml", "4")];
        let found: Vec<(String, FileDrift)> =
            drifting(&in_force, &folder).into_iter().map(|it| (it.path, it.drift)).collect();
        let expected = [
            ("a.toml".to_owned(), FileDrift::Removed),
            ("b.toml".to_owned(), FileDrift::Changed),
            ("c.toml".to_owned(), FileDrift::Added),
        ];
        assert_eq!(found, expected);
        assert_eq!(drifting(&in_force, &in_force), []);
    }
}
