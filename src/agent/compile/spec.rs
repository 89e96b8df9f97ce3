//! `Spec`: what a container gets, told whole. Looked up by an errand: names are in its image.

use std::time::Duration;

use orlop::container::seccomp::Programs;
use orlop::control::{Error, SpecReply, encode_reply};

use super::Machine;
use crate::agent::control::CallId;
use crate::agent::errands::Answer;
use crate::agent::{Agent, files, store};
use crate::engine::{Environment, describe};

impl Agent {
    pub fn tell_spec(&mut self, call: CallId, name: String, bundle: Option<String>, now: Duration) {
        let failed = |reason: String| Error::Failed { reason };
        if let Some(problems) = self.config.invalid.get(&name) {
            let problems = problems.clone();
            return self.server.fail(now, call, &Error::InvalidContainer { name, problems });
        }
        let Some(container) = self.config.containers.get(&name).cloned() else {
            return self.unknown(call, name, now);
        };
        let slot = self.slots.get(&name).copied().unwrap_or_default();
        let machine = Machine { config: &self.config, boot: &self.boot, slots: &self.slots };
        let whole = store::find(&container.image).and_then(|image| {
            machine
                .whole(&container, &image, slot, &mut Programs::default())
                .map_err(|failure| failure.to_string())
        });
        let (spec, root) = match whole {
            Ok(whole) => whole,
            Err(reason) => return self.server.fail(now, call, &failed(reason)),
        };
        let env_files = files::env_files(&container, &self.boot.config_dir);
        self.errand(call, now, move || -> Answer {
            let base = spec.process.as_ref().map_or_else(Vec::new, |process| process.env.clone());
            let environment =
                Environment { base: base.into(), files: env_files.into(), over: &container.environment };
            let spec = describe(spec, &root, &environment, bundle.as_deref())
                .map_err(|failure| failed(failure.to_string()))?;
            let spec = serde_json::to_value(&spec).map_err(|error| failed(error.to_string()))?;
            Ok(encode_reply(&SpecReply { spec }))
        });
    }
}
