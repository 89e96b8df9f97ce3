//! The short forms of volumes and of tmpfs.

use super::super::diagnostic::Mistake;
use super::super::model::{Tmpfs, VolumeMount, VolumeSource};
use super::{name, path, size};
use alloc::format;
use alloc::string::ToString;

/// As JSON Schema has them.
pub(crate) const VOLUME: &str = "^([^:]+:)?/[^:]*(:(ro|rw))?$";
pub(crate) const TMPFS: &str = "^/[^:]*(:.*)?$";

/// `SOURCE:TARGET[:ro|rw]`, or a target alone for a volume without a name.
pub(crate) fn volume(text: &str) -> Result<VolumeMount, Mistake> {
    let mut parts = text.split(':');
    let (first, second, options, more) = (parts.next(), parts.next(), parts.next(), parts.next());
    let source_and_target = match (first, second) {
        (Some(target), None) => (VolumeSource::Anonymous, target),
        (Some(source), Some(target)) => (source_of(source)?, target),
        (None, _) => (VolumeSource::Anonymous, text),
    };
    if more.is_some() {
        let mistake = Mistake::new(format!("\"{text}\" has more than three parts"));
        return Err(mistake.help("SOURCE:TARGET or SOURCE:TARGET:ro"));
    }
    let read_only = match options {
        None | Some("rw") => false,
        Some("ro") => true,
        Some(other) => {
            let mistake =
                Mistake::new(format!("\"{text}\" has the option `{other}`, which is not `ro` or `rw`"));
            return Err(match other {
                "z" | "Z" => mistake.help("there is no SELinux here: leave it out"),
                _ => mistake.help("SOURCE:TARGET or SOURCE:TARGET:ro"),
            });
        }
    };
    let (source, target) = source_and_target;
    Ok(VolumeMount { source, target: path::mount_point(target)?, read_only })
}

/// A volume's name, or an absolute path on the machine.
pub(crate) fn source_of(text: &str) -> Result<VolumeSource, Mistake> {
    if text.starts_with('/') {
        return path::absolute(text).map(VolumeSource::Bind);
    }
    if text.starts_with(['.', '~']) {
        let mistake = Mistake::new(format!(
            "\"{text}\" is no path on the machine: there it has no folder to start from"
        ));
        return Err(mistake.help("write an absolute path, or the name of a [volume.NAME]"));
    }
    name::thing(text)?;
    Ok(VolumeSource::Named(text.to_string()))
}

/// `TARGET[:size=64M,mode=1777]`.
pub(crate) fn tmpfs(text: &str) -> Result<Tmpfs, Mistake> {
    let (target, options) = match text.split_once(':') {
        Some((target, options)) => (target, Some(options)),
        None => (text, None),
    };
    let mut tmpfs = Tmpfs { target: path::mount_point(target)?, size: None, mode: None };
    for option in options.into_iter().flat_map(|options| options.split(',')) {
        match option.split_once('=') {
            Some(("size", _)) if tmpfs.size.is_some() => return Err(twice("size")),
            Some(("mode", _)) if tmpfs.mode.is_some() => return Err(twice("mode")),
            Some(("size", value)) => tmpfs.size = Some(tmpfs_size(value)?),
            Some(("mode", value)) => tmpfs.mode = Some(mode(value)?),
            _ => {
                let mistake = Mistake::new(format!("a tmpfs has no option `{option}`"));
                return Err(mistake.help("its options are size=64M and mode=1777"));
            }
        }
    }
    Ok(tmpfs)
}

/// Zero would mean "no limit" to the kernel.
pub(crate) fn tmpfs_size(text: &str) -> Result<u64, Mistake> {
    match size::parse(text)? {
        0 => Err(Mistake::new("a tmpfs of no size has no limit").help("leave `size` out, or give one")),
        bytes if bytes > size::MOST => {
            Err(Mistake::new(format!("\"{text}\" is more than {}", size::show(size::MOST))))
        }
        bytes => Ok(bytes),
    }
}

/// Permission bits in octal, as in chmod(1).
pub(crate) fn mode(text: &str) -> Result<u32, Mistake> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match u32::from_str_radix(text, 8) {
        Ok(mode) if digits && mode <= 0o7777 => Ok(mode),
        _ => Err(Mistake::new(format!("\"{text}\" is no mode")).help("octal, like 1777 or 0755")),
    }
}

fn twice(option: &str) -> Mistake {
    Mistake::new(format!("the option `{option}` is given twice"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_short_form_of_a_volume() {
        let check = |text, source, target: &str, read_only| {
            let wanted = VolumeMount { source, target: target.to_string(), read_only };
            assert_eq!(volume(text), Ok(wanted), "{text}");
        };
        check("data:/data", VolumeSource::Named("data".to_string()), "/data", false);
        check("data:/data/:ro", VolumeSource::Named("data".to_string()), "/data", true);
        check("/srv//www:/www:rw", VolumeSource::Bind("/srv/www".to_string()), "/www", false);
        check("/data", VolumeSource::Anonymous, "/data", false);
    }

    #[test]
    fn refuses_volumes_that_could_not_be_mounted() {
        let check = |text, part: &str| {
            let mistake = volume(text).unwrap_err();
            assert!(mistake.message.contains(part), "{text}: {mistake}");
        };
        check("data", "no absolute path");
        check("", "no absolute path");
        check("data:data", "no absolute path");
        check("./data:/data", "no path on the machine");
        check("data:/data:rx", "option `rx`");
        check("data:/data:z", "option `z`");
        check("a:/b:ro:c", "three parts");
        check("data:/", "mounted on /");
        check("Data:/data", "`Data`");
    }

    #[test]
    fn reads_the_short_form_of_a_tmpfs() {
        let check = |text, size, mode| {
            assert_eq!(tmpfs(text), Ok(Tmpfs { target: "/run".to_string(), size, mode }), "{text}");
        };
        check("/run", None, None);
        check("/run:size=64M,mode=1777", Some(64 << 20), Some(0o1777));
        check("/run:mode=0755", None, Some(0o755));
        for wrong in [
            "run",
            "/run:",
            "/run:size=64",
            "/run:size=0",
            "/run:mode=9",
            "/run:mode=17777",
            "/run:uid=1",
            "/run:noexec",
        ] {
            assert!(tmpfs(wrong).is_err(), "{wrong}");
        }
        assert!(tmpfs("/run:size=1M,size=2M").unwrap_err().message.contains("twice"));
    }
}
