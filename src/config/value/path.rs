//! Paths: in a container absolute, beside the config relative to its folder; `..` in neither.

use super::super::diagnostic::Mistake;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// PATH_MAX of linux/limits.h, with its NUL.
const MAX_PATH: usize = 4096;
/// NAME_MAX of linux/limits.h.
const MAX_NAME: usize = 255;

/// As JSON Schema has it.
pub(crate) const ABSOLUTE: &str = "^/";

/// Where a container's own file systems are; what is mounted on one would hide it.
const OWN: [(&str, &str); 6] = [
    ("/", "the image is there"),
    ("/proc", "every container has its own"),
    ("/sys", "every container has its own"),
    ("/dev", "every container has its own"),
    ("/dev/shm", "`shm_size` sets its size"),
    ("/dev/pts", "every container has its own"),
];

/// An absolute path, with doubled and trailing slashes and `.` taken out.
pub(crate) fn absolute(text: &str) -> Result<String, Mistake> {
    if !text.starts_with('/') {
        return Err(Mistake::new(format!("\"{text}\" is no absolute path"))
            .help(format!("write \"/{}\"", text.trim_start_matches("./"))));
    }
    Ok(format!("/{}", parts(text)?.join("/")))
}

/// Where something can be mounted in a container.
pub(crate) fn mount_point(text: &str) -> Result<String, Mistake> {
    let path = absolute(text)?;
    if let Some((own, why)) = OWN.into_iter().find(|(own, _)| *own == path) {
        return Err(Mistake::new(format!("nothing can be mounted on {own}")).help(why));
    }
    if path.starts_with("/proc/") || path.starts_with("/sys/") {
        return Err(Mistake::new(format!("nothing can be mounted on {path}: the kernel answers there")));
    }
    if path.starts_with("/dev/") {
        let message =
            format!("nothing can be mounted on {path}: a container's /dev is its own, and read-only");
        return Err(Mistake::new(message).help("choose a place outside of /dev"));
    }
    Ok(path)
}

/// A file or folder beside the config; an absolute path is taken as it is.
pub(crate) fn beside(text: &str) -> Result<String, Mistake> {
    if text.starts_with('/') {
        return absolute(text);
    }
    let parts = parts(text)?;
    if parts.is_empty() {
        return Err(Mistake::new("the path is empty").help("paths are relative to the config folder"));
    }
    Ok(parts.join("/"))
}

fn parts(text: &str) -> Result<Vec<&str>, Mistake> {
    if text.len() >= MAX_PATH {
        return Err(Mistake::new(format!("the path has {} bytes; the kernel takes {MAX_PATH}", text.len())));
    }
    if text.chars().any(char::is_control) {
        return Err(Mistake::new("the path holds a control character"));
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err(
            Mistake::new(format!("\"{text}\" goes up with `..`")).help("write the path that it leads to")
        );
    }
    if parts.iter().any(|part| part.len() > MAX_NAME) {
        return Err(Mistake::new(format!("a name in the path has more than {MAX_NAME} bytes")));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_paths() {
        let check = |text, path: &str| assert_eq!(absolute(text).unwrap(), path, "{text}");
        check("/data", "/data");
        check("//data/./a//b/", "/data/a/b");
        check("/", "/");
        assert_eq!(beside("./images//redis.tar").unwrap(), "images/redis.tar");
        assert_eq!(beside("/srv/redis.tar").unwrap(), "/srv/redis.tar");
    }

    #[test]
    fn refuses_paths_that_lead_elsewhere() {
        let check = |mistake: Result<String, Mistake>, part: &str| {
            let mistake = mistake.unwrap_err();
            assert!(mistake.message.contains(part), "{mistake}");
        };
        check(absolute("data"), "no absolute path");
        check(absolute(""), "no absolute path");
        check(absolute("/a/../b"), "`..`");
        check(beside("../images"), "`..`");
        check(beside("."), "empty");
        check(absolute("/a\u{1b}[2J"), "control");
        check(absolute(&format!("/{}", "a".repeat(256))), "255");
        check(absolute(&"/a".repeat(3000)), "4096");
        check(mount_point("/proc/"), "mounted on /proc");
        check(mount_point("/sys/fs"), "the kernel answers");
        check(mount_point("/dev/shm"), "/dev/shm");
        check(mount_point("/dev//snd/"), "mounted on /dev/snd: a container's /dev is its own");
        assert_eq!(mount_point("/device").unwrap(), "/device");
    }
}
