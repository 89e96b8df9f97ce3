//! What a container gets: its spec and the steps to it, from the configuration, the image and the machine.

use orlop::config::Container;
use orlop::container::{Facts, Names, Plan, Spec, compile, first_id, plan, root};

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
        let facts = self.facts(container, slot)?;
        let spec = compile(container, &image.defaults, &facts);
        let quarter = self.boot.memory / 4;
        let upper_size = container.limits.memory.unwrap_or(quarter).min(quarter);
        let root = root(container, &image.defaults, &facts, &image.layers, upper_size);
        let plan = plan(&spec, &root).map_err(|refused| Failure::said(refused.field, refused.why))?;
        Ok((spec, plan))
    }

    /// The spec alone, of a container that runs, and how it names its user.
    pub fn spec(
        &self,
        container: &Container,
        image: &store::Image,
        slot: u32,
    ) -> Result<(Spec, Names), Failure> {
        let facts = self.facts(container, slot)?;
        let spec = compile(container, &image.defaults, &facts);
        let names = root(container, &image.defaults, &facts, &[], 0).names;
        Ok((spec, names))
    }

    fn facts(&self, container: &Container, slot: u32) -> Result<Facts, Failure> {
        Ok(Facts {
            first_id: first_id(slot),
            devices: files::devices(&container.limits.io)?,
            files: records::directory(&container.name),
            dev: engine::DEVICES.into(),
            volumes: boot::VOLUMES.into(),
            volume_sizes: self
                .config
                .volumes
                .values()
                .filter_map(|volume| Some((volume.name.clone(), volume.size?)))
                .collect(),
            seccomp: files::seccomp(container, &self.boot.config_dir)?,
        })
    }
}
