//! Devices of the machine in a container: `SOURCE[:TARGET][:rwm]`, as Compose has it.

use super::super::diagnostic::Mistake;
use super::super::model::DeviceUse;
use super::path;
use alloc::format;
use alloc::string::{String, ToString};

/// As JSON Schema has it.
pub(crate) const PATTERN: &str = "^/dev/[^:]+(:/dev/[^:]+)?(:[rwm]{1,3})?$";

/// What may be done with a device that says nothing of it.
pub(crate) const ALL_ACCESS: &str = "rwm";

/// Names that every container has already, each with its own behind it.
const OWN: [&str; 9] = ["pts", "shm", "mqueue", "fd", "stdin", "stdout", "stderr", "ptmx", "console"];

pub(crate) fn device(text: &str) -> Result<DeviceUse, Mistake> {
    let mut parts = text.split(':');
    let (first, second, third, more) = (parts.next(), parts.next(), parts.next(), parts.next());
    if more.is_some() {
        return Err(Mistake::new(format!("\"{text}\" has more than three parts")).help("SOURCE:TARGET:rwm"));
    }
    let from = source(first.unwrap_or(text))?;
    let (to, may) = match (second, third) {
        (None, _) => (from.clone(), ALL_ACCESS.to_string()),
        (Some(word), None) if !word.starts_with('/') => (from.clone(), access(word)?),
        (Some(to), None) => (target(to)?, ALL_ACCESS.to_string()),
        (Some(to), Some(word)) => (target(to)?, access(word)?),
    };
    // A folder's devices keep their names, and a device whose name a container has needs another.
    target(&to)?;
    Ok(DeviceUse { source: from, target: to, access: may })
}

/// On the machine.
pub(crate) fn source(text: &str) -> Result<String, Mistake> {
    match path::absolute(text) {
        Ok(path) if path.starts_with("/dev/") => Ok(path),
        Ok(_) | Err(_) => Err(Mistake::new(format!("\"{text}\" is no device"))
            .help("devices are below /dev, like \"/dev/ttyUSB0\"")),
    }
}

/// In the container.
pub(crate) fn target(text: &str) -> Result<String, Mistake> {
    let path = path::absolute(text)?;
    let Some(below) = path.strip_prefix("/dev/") else {
        let message = format!("{path} is not below /dev, and devices work nowhere else in a container");
        return Err(Mistake::new(message).help("write a target like \"/dev/xvda\""));
    };
    match OWN.into_iter().find(|own| below.split('/').next() == Some(own)) {
        Some(own) => Err(Mistake::new(format!("a container has a /dev/{own} of its own"))),
        None => Ok(path),
    }
}

/// Of `r`, `w` and `m`, each once.
pub(crate) fn access(text: &str) -> Result<String, Mistake> {
    let twice = |letter| text.matches(letter).count() > 1;
    let known = ['r', 'w', 'm'];
    if text.is_empty() || !text.chars().all(|letter| known.contains(&letter)) || known.into_iter().any(twice)
    {
        let mistake = Mistake::new(format!("\"{text}\" is no permission for a device"));
        return Err(mistake.help("of r (read), w (write) and m (mknod), like \"rw\""));
    }
    Ok(known.into_iter().filter(|letter| text.contains(*letter)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_short_form() {
        let check = |text, source: &str, target: &str, access: &str| {
            let found = device(text).unwrap();
            assert_eq!((&*found.source, &*found.target, &*found.access), (source, target, access), "{text}");
        };
        check("/dev/ttyUSB0", "/dev/ttyUSB0", "/dev/ttyUSB0", "rwm");
        check("/dev/sda:/dev/xvda", "/dev/sda", "/dev/xvda", "rwm");
        check("/dev/sda:/dev/xvda:r", "/dev/sda", "/dev/xvda", "r");
        check("/dev/sda:mr", "/dev/sda", "/dev/sda", "rm");
        check("/dev//snd/", "/dev/snd", "/dev/snd", "rwm");
    }

    #[test]
    fn refuses_what_would_not_be_a_device_there() {
        let check = |text, part: &str| {
            let mistake = device(text).unwrap_err();
            assert!(mistake.message.contains(part), "{text}: {mistake}");
        };
        check("ttyUSB0", "no device");
        check("/srv/x", "no device");
        check("/dev", "no device");
        check("vendor.com/gpu=all", "no device");
        check("/dev/sda:/disk", "not below /dev");
        check("/dev/sda:rx", "no permission");
        check("/dev/sda:rr", "no permission");
        check("/dev/sda:/dev/shm/x", "/dev/shm of its own");
        check("/dev/ptmx", "/dev/ptmx of its own");
        check("/dev/a:/dev/b:r:w", "three parts");
    }
}
