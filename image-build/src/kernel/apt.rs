//! apt in a folder of its own: its lists, its downloads and its idea of what is installed are
//! ours, so that the machine's are never touched, and no root is needed. Proxies and credentials
//! are the machine's.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::arch;
use crate::error::{At, Error, Result};

pub(super) struct Apt {
    folder: PathBuf,
}

/// Signs Debian's archive. Without the file apt goes by the keys that the machine trusts.
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"];

const MIRROR: &str = "http://deb.debian.org/debian";
const SECURITY: &str = "http://deb.debian.org/debian-security";

impl Apt {
    /// Sets the folder up for the suites that have a new enough kernel for this release of Debian.
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let apt = Self { folder: folder.to_owned() };
        for below in ["lists/partial", "cache/archives/partial", "state", "empty.d"] {
            let path = folder.join(below);
            fs::create_dir_all(&path).at("create", &path)?;
        }
        apt.write("status", "")?;
        apt.write("apt.conf", &configuration(&folder.display().to_string()))?;
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let mirrors = mirrors(&apt.targets(), field(&release, "VERSION_CODENAME").unwrap_or_default());
        let suites = suites(field(&release, "VERSION_ID").unwrap_or_default());
        let keyring = KEYRINGS.into_iter().find(|path| Path::new(path).exists());
        apt.write("sources.list", &sources(suites, &mirrors, keyring))?;
        Ok(apt)
    }

    /// Fetches the lists of packages.
    pub(super) fn update(&self) -> Result<()> {
        self.run("apt-get", &["--error-on=any", "update"]).map(drop)
    }

    /// What `apt-cache show` prints.
    pub(super) fn show(&self, package: &str) -> Result<String> {
        let output = self.run("apt-cache", &["show", package])?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Puts the package's file into the current folder of apt, a fresh `into`.
    pub(super) fn download(&self, package: &str, version: &str, into: &Path) -> Result<()> {
        let wanted = format!("{package}={version}");
        let mut command = self.command("apt-get");
        command.current_dir(into).args(["download", &wanted]);
        finish(command, "apt-get").map(drop)
    }

    /// The sources that the machine itself uses, one a line: `URI SUITE`.
    fn targets(&self) -> String {
        let mut command = Command::new("apt-get");
        command.args(["indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"]);
        command
            .output()
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command(program);
        command.args(arguments);
        finish(command, program)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.folder.join("apt.conf")).env("LC_ALL", "C.UTF-8").arg("-q");
        command
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, text).at("write", &path)
    }
}

fn finish(mut command: Command, program: &str) -> Result<Output> {
    let output = command.output().map_err(|error| Error::Kernel(format!("cannot run {program}: {error}")))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<&str> =
        said.lines().filter(|line| line.starts_with("E:") || line.starts_with("W:")).collect();
    let shown = complaints.first().copied().unwrap_or("it says nothing");
    Err(Error::Kernel(format!("{program} failed ({}): {shown}", output.status)))
}

/// Read before and, as `Dir::Etc::main`, after the machine's own configuration: what is said here
/// wins, and its hooks (which would clean the machine's caches) are gone.
fn configuration(folder: &str) -> String {
    let mut text = String::new();
    if Path::new("/etc/apt/apt.conf").exists() {
        text.push_str("#include \"/etc/apt/apt.conf\";\n");
    }
    for list in ["APT::Update", "DPkg"] {
        for hook in ["Pre-Invoke", "Post-Invoke", "Post-Invoke-Success"] {
            let _ = writeln!(text, "#clear {list}::{hook};");
        }
    }
    for (key, value) in [
        ("Etc::main", "apt.conf"),
        ("Etc::sourcelist", "sources.list"),
        ("Etc::sourceparts", "empty.d"),
        ("Etc::preferences", "none"),
        ("Etc::preferencesparts", "empty.d"),
        ("State", "state"),
        ("State::lists", "lists"),
        ("State::status", "status"),
        ("Cache", "cache"),
    ] {
        let _ = writeln!(text, "Dir::{key} \"{folder}/{value}\";");
    }
    text
}

/// Backports have the kernel for Debian 12; later releases have it themselves.
fn suites(version_id: &str) -> &'static [(Archive, &'static str)] {
    match version_id {
        "12" => &[(Archive::Main, "bookworm-backports")],
        _ => &[(Archive::Main, "trixie"), (Archive::Security, "trixie-security")],
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Archive {
    Main,
    Security,
}

#[derive(Debug, PartialEq, Eq)]
struct Mirrors {
    main: String,
    security: String,
}

/// The mirrors that the machine uses for its own release.
fn mirrors(targets: &str, codename: &str) -> Mirrors {
    let security = format!("{codename}-security");
    let of = |wanted: &str, otherwise: &str| {
        let lines = targets.lines().filter_map(|line| line.rsplit_once(' '));
        let mut found = lines.filter(|(_, suite)| !wanted.is_empty() && *suite == wanted);
        found.next().map_or(otherwise, |(uri, _)| uri.trim_end_matches('/')).to_owned()
    };
    Mirrors { main: of(codename, MIRROR), security: of(&security, SECURITY) }
}

fn sources(suites: &[(Archive, &str)], mirrors: &Mirrors, keyring: Option<&str>) -> String {
    let signed = keyring.map(|path| format!(" signed-by={path}")).unwrap_or_default();
    let line = |(archive, suite): &(Archive, &str)| {
        let mirror = match archive {
            Archive::Main => &mirrors.main,
            Archive::Security => &mirrors.security,
        };
        format!("deb [target=Packages lang=none arch={}{signed}] {mirror} {suite} main\n", arch::debian())
    };
    suites.iter().map(line).collect()
}

/// A value of os-release(5).
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    values.next().map(|value| value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: &str = "\
http://mirror.example/apt/ vendor
http://mirror.example/debian/ bookworm
http://mirror.example/debian/ bookworm-updates
http://mirror.example/security/ bookworm-security
";

    #[test]
    fn uses_the_machines_mirrors_for_the_suites_with_a_new_kernel() {
        let mirrors = mirrors(TARGETS, "bookworm");
        let arch = arch::debian();
        assert_eq!(
            sources(suites("12"), &mirrors, None),
            format!(
                "deb [target=Packages lang=none arch={arch}] http://mirror.example/debian bookworm-backports main\n"
            )
        );
        assert_eq!(
            sources(suites("13"), &mirrors, Some("/k.gpg")),
            format!(
                "deb [target=Packages lang=none arch={arch} signed-by=/k.gpg] http://mirror.example/debian trixie main\n\
                 deb [target=Packages lang=none arch={arch} signed-by=/k.gpg] http://mirror.example/security trixie-security main\n"
            )
        );
    }

    #[test]
    fn uses_debians_own_mirrors_where_the_machine_has_none() {
        for (targets, codename) in [("", "bookworm"), (TARGETS, "noble"), (TARGETS, "")] {
            let expected = Mirrors { main: MIRROR.to_owned(), security: SECURITY.to_owned() };
            assert_eq!(mirrors(targets, codename), expected);
        }
    }

    #[test]
    fn reads_os_release() {
        let text = "NAME=\"Debian\"\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";
        assert_eq!(field(text, "VERSION_ID"), Some("12"));
        assert_eq!(field(text, "VERSION_CODENAME"), Some("bookworm"));
        assert_eq!(field(text, "VERSION"), None);
    }
}
