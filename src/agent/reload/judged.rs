//! Whether a configuration could be in force now: its text, and what it names on this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use orlop::config::{Config, Container, Diagnostic, KeyChange, files, read};
use orlop::control::{
    self, ConfigFile, ConfigMistake, PlanAction, PlanContainer, PlanKey, PlanReply, ReloadClass,
};
use orlop::supervisor::{Action, Plan, Planned, plan};

use crate::agent::compile::Machine;
use crate::agent::configuration::sources;
use crate::agent::{Agent, files as names};

impl Agent {
    /// What a reload does, or all that is wrong. Nothing is touched.
    pub fn judge(&mut self, files: &[ConfigFile]) -> (Option<(Config, Plan)>, PlanReply) {
        let reading = read(&sources(files));
        let mut mistakes: Vec<ConfigMistake> = reading.diagnostics.iter().map(mistake).collect();
        let plan = plan(&self.config, &reading.config);
        if !reading.has_errors() {
            mistakes.extend(self.missing(&reading.config, &plan));
        }
        let number = self.reloading.current.number;
        let containers = plan.containers.iter().map(container).collect();
        let reply = PlanReply { number, containers, host: plan.host.iter().map(key).collect(), mistakes };
        if reply.has_errors() {
            let reply = PlanReply { containers: Vec::new(), host: Vec::new(), ..reply };
            return (None, reply);
        }
        (Some((reading.config, plan)), reply)
    }

    /// Why containers that would be started could not be.
    fn missing(&mut self, config: &Config, plan: &Plan) -> Vec<ConfigMistake> {
        let replaced: BTreeSet<&str> = plan.replaced().collect();
        let slots = names::give_slots(config, &self.slots);
        let mut missing = Vec::new();
        for file in files(config).iter().filter(|file| file.required && !file.key.ends_with(".image")) {
            let path = names::beside(&self.boot.config_dir, &file.path);
            let counts = file.container.as_deref().is_some_and(|name| replaced.contains(name));
            if counts && !Path::new(&path).exists() {
                let why = format!("there is no file {path} on the machine");
                missing.push(unusable(file.container.as_deref(), &file.declared_at, &file.key, &why));
            }
        }
        for name in replaced {
            let Some(container) = config.containers.get(name) else { continue };
            if let Err(why) = self.could_start(config, container, &slots) {
                missing.push(unusable(
                    Some(name),
                    &container.declared_at,
                    &format!("container.{name}"),
                    &why,
                ));
            }
        }
        missing
    }

    fn could_start(
        &mut self,
        config: &Config,
        container: &Container,
        slots: &BTreeMap<String, u32>,
    ) -> Result<(), String> {
        let slot = slots.get(&container.name).copied().unwrap_or_default();
        let image = self.compiled.images.find(&container.image)?;
        let machine = Machine { config, boot: &self.boot, slots };
        let could = machine.could_start(container, &image, slot, &mut self.compiled.programs);
        could.map_err(|failure| failure.to_string())
    }
}

fn unusable(container: Option<&str>, declared_at: &str, key: &str, why: &str) -> ConfigMistake {
    let place = declared_at.rsplit_once(':');
    ConfigMistake {
        severity: "error".into(),
        file: place.map(|(file, _)| file.to_owned()),
        line: place.and_then(|(_, line)| line.parse().ok()),
        column: None,
        key: key.to_owned(),
        message: format!("{key}: {why}"),
        container: container.map(str::to_owned),
        text: format!("error: {why}\n --> {declared_at}: {key}"),
    }
}

fn mistake(found: &Diagnostic) -> ConfigMistake {
    ConfigMistake {
        severity: found.severity.to_string(),
        file: Some(found.file.clone()),
        line: Some(found.line as u64),
        column: Some(found.column as u64),
        key: found.key.clone(),
        message: found.message.clone(),
        container: found.container.clone(),
        text: found.to_string(),
    }
}

fn container(planned: &Planned) -> PlanContainer {
    PlanContainer {
        name: planned.name.clone(),
        action: match planned.action {
            Action::Start => PlanAction::Start,
            Action::Stop => PlanAction::Stop,
            Action::Restart => PlanAction::Restart,
            Action::Change => PlanAction::Change,
        },
        declared_at: Some(planned.declared_at.clone())
            .filter(|place| !place.is_empty() && planned.action != Action::Stop),
        keys: planned.keys.iter().map(key).collect(),
        follows: planned.follows.clone(),
    }
}

fn key(change: &KeyChange) -> PlanKey {
    use orlop::config::ReloadClass as Class;
    let class: control::ReloadClass = match change.class {
        Class::None => ReloadClass::None,
        Class::Live => ReloadClass::Live,
        Class::Restart => ReloadClass::Restart,
        Class::Recreate => ReloadClass::Recreate,
        Class::Reboot => ReloadClass::Reboot,
    };
    PlanKey { key: change.key.to_owned(), class }
}
