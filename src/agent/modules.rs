//! Loads the kernel modules that the machine needs, dependencies first.

use std::path::Path;

use orlop::image::modules::Deps;

use crate::linux::module::load_module;

/// Loads what the machine needs and what the configuration adds. A module whose device is not
/// there is as good as loaded.
///
/// # Errors
/// Every module that could not be loaded, and why.
pub fn load(added: &[String]) -> Result<(), String> {
    let release = nix::sys::utsname::uname().map_err(|errno| errno.desc().to_owned())?;
    let directory = format!("/lib/modules/{}", release.release().to_string_lossy());
    let read = |name: &str| std::fs::read_to_string(format!("{directory}/{name}")).unwrap_or_default();
    let deps = Deps::parse(&read("modules.dep"), &read("modules.builtin"));
    let (order, unknown) = deps.boot_with_what_there_is(added);
    let mut failed: Vec<String> = unknown.iter().map(ToString::to_string).collect();
    for path in order {
        match load_module(&Path::new(&directory).join(path), c"") {
            Ok(_) => {}
            Err(error) if error.is_no_device() => {}
            Err(error) => failed.push(error.to_string()),
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}
