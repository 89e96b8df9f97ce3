//! What a container gets: its spec and the steps to it, from the configuration, the image and the machine.

use orlop::config::Container;
use orlop::container::{Facts, Plan, Spec, compile, first_id, plan, root};

use super::{Agent, boot, files, records, store};
use crate::engine::{self, Failure};

impl Agent {
    /// What a container gets, and how it comes to it.
    pub fn plan(
        &self,
        container: &Container,
        image: &store::Image,
        slot: u32,
    ) -> Result<(Spec, Plan), Failure> {
        let directory = records::directory(&container.name);
        files::write_etc(container, &directory, self.config.host.dns.servers.is_empty())
            .map_err(|errno| Failure::new("files", &directory, errno))?;
        let facts = Facts {
            first_id: first_id(slot),
            devices: files::devices(&container.limits.io)?,
            files: directory,
            dev: engine::DEVICES.into(),
            volumes: boot::VOLUMES.into(),
            volume_sizes: self
                .config
                .volumes
                .values()
                .filter_map(|volume| Some((volume.name.clone(), volume.size?)))
                .collect(),
            seccomp: files::seccomp(container, &self.boot.config_dir)?,
        };
        let spec = compile(container, &image.defaults, &facts);
        if spec.process.as_ref().is_none_or(|process| process.args.is_empty()) {
            let why = "neither the image nor the configuration names a program";
            return Err(Failure::said("execute", why));
        }
        let quarter = self.boot.memory / 4;
        let upper_size = container.limits.memory.unwrap_or(quarter).min(quarter);
        let root = root(container, &image.defaults, &facts, &image.layers, upper_size);
        let plan = plan(&spec, &root).map_err(|refused| Failure::said(refused.field, refused.why))?;
        Ok((spec, plan))
    }
}
