//! The kinds of text that keys take, and shapes that several keys share.

use super::super::diagnostic::Mistake;
use super::super::shape::{Shape, Text};
use super::super::tree::Node;
use super::super::value::{
    address, capability, cpuset, device, environment, forward, gate, mount, name, path, rlimit,
};
use super::super::value::{signal, size, socket, time, user, words};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

/// As many as containers.
pub(crate) const MOST_REPLICAS: i64 = super::super::MAX_CONTAINERS as i64;

const fn text(what: &'static str, pattern: &'static str, check: fn(&str) -> Result<(), Mistake>) -> Text {
    Text { what, pattern, check }
}

pub(crate) static ANY: Text = text("a string", "", |_| Ok(()));
pub(crate) static NAME: Text = text("a name", name::THING, name::thing);
pub(crate) static CONTAINER: Text = text("a container's name", name::CONTAINER, name::container);
pub(crate) static OTHER: Text = text("a container's name", name::OTHER, name::other);
pub(crate) static HOSTNAME: Text = text("a host name", name::HOSTNAME, name::hostname);
pub(crate) static DOMAIN: Text = text("a domain name", "", name::domain);
pub(crate) static MODULE: Text = text("a kernel module's name", "^[A-Za-z0-9_-]+$", name::module);
pub(crate) static SYSCTL: Text = text("a sysctl's key with dots", name::SYSCTL, name::sysctl);
pub(crate) static SYSCTL_VALUE: Text = text("a string", "", name::sysctl_value);
pub(crate) static INTERFACE: Text = text("a network interface's name", "^[^ /:]{1,15}$", name::interface);
pub(crate) static MAC: Text =
    text("a MAC address", "^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$", |text| address::mac(text).map(drop));
pub(crate) static HOST_ADDRESS: Text = text("an IP address", "", |text| address::host(text).map(drop));
pub(crate) static FORWARD: Text =
    text("a collector like \"udp://192.0.2.1:514\"", "^(udp|tcp|tls)://.+:[0-9]+$", |text| {
        forward::destination(text).map(drop)
    });
pub(crate) static SERVER_NAME: Text = text("a name or an IP address", "", forward::server_name);
pub(crate) static CIDR: Text =
    text("an address with its prefix length, like \"192.0.2.7/24\"", "/[0-9]+$", |text| {
        address::interface(text).map(drop)
    });
pub(crate) static ROUTE: Text =
    text("a network like \"10.0.0.0/8\", or \"default\"", "^default$|/[0-9]+$", |text| {
        address::route(text).map(drop)
    });
pub(crate) static IMAGE: Text = text("an image reference, or a transport and a file", "", |text| {
    text.parse::<super::super::model::ImageSource>().map(drop)
});
pub(crate) static COMMAND: Text = text("a command", "", |text| words::split(text).map(drop));
pub(crate) static ENV_NAME: Text = text("a variable's name", environment::NAME, environment::name);
pub(crate) static ENV: Text =
    text("NAME=value", environment::ASSIGNMENT, |text| environment::assignment(text).map(drop));
pub(crate) static LABEL_KEY: Text = text("a label's key", "", environment::label);
pub(crate) static LABEL: Text = text("key=value", "", |text| environment::label_assignment(text).map(drop));
pub(crate) static ABSOLUTE: Text =
    text("an absolute path", path::ABSOLUTE, |text| path::absolute(text).map(drop));
pub(crate) static TARGET: Text =
    text("an absolute path", path::ABSOLUTE, |text| path::mount_point(text).map(drop));
pub(crate) static BESIDE: Text = text("a path beside the config", "", |text| path::beside(text).map(drop));
pub(crate) static USER: Text = text("user[:group]", user::USER, user::user);
pub(crate) static GROUP: Text = text("a group's name or number", "", user::one);
pub(crate) static VOLUME: Text =
    text("SOURCE:TARGET[:ro]", mount::VOLUME, |text| mount::volume(text).map(drop));
pub(crate) static VOLUME_SOURCE: Text =
    text("a volume's name or an absolute path", "", |text| mount::source_of(text).map(drop));
pub(crate) static TMPFS: Text =
    text("TARGET[:size=64M,mode=1777]", mount::TMPFS, |text| mount::tmpfs(text).map(drop));
pub(crate) static MODE: Text =
    text("a mode in octal, like \"1777\"", "^[0-7]{1,5}$", |text| mount::mode(text).map(drop));
pub(crate) static LISTEN: Text =
    text("an address like \"tcp://0.0.0.0:80\" or \"unix:/run/web.sock\"", socket::PATTERN, |text| {
        socket::listen(text).map(drop)
    });
pub(crate) static SOCKET_NAME: Text = text("a socket's name", "^[!-9;-~]{1,255}$", socket::name);
pub(crate) static OWNER: Text = text("UID[:GID]", "^[0-9]+(:[0-9]+)?$", |text| socket::owner(text).map(drop));
pub(crate) static SIGNAL: Text = text("a signal's name or number", "", |text| signal::parse(text).map(drop));
pub(crate) static CAPABILITY: Text =
    text("a capability's name", "", |text| capability::parse(text).map(drop));
pub(crate) static SECCOMP: Text =
    text("`default`, `unconfined`, or a path beside the config", "", |text| path::beside(text).map(drop));
pub(crate) static APPARMOR: Text = text("a profile's name", "^[^ ]+$", name::profile);
pub(crate) static DEVICE_USE: Text =
    text("SOURCE[:TARGET][:rwm]", device::PATTERN, |text| device::device(text).map(drop));
pub(crate) static DEVICE_PATH: Text =
    text("a device like \"/dev/ttyUSB0\"", "^/dev/.", |text| device::source(text).map(drop));
pub(crate) static DEVICE_TARGET: Text =
    text("a path below /dev", "^/dev/.", |text| device::target(text).map(drop));
pub(crate) static DEVICE_ACCESS: Text =
    text("letters of \"rwm\"", "^[rwm]{1,3}$", |text| device::access(text).map(drop));
pub(crate) static GATE: Text = text("a gate", gate::PATTERN, |text| gate::gate(text).map(drop));
pub(crate) static RLIMIT: Text = text("a resource limit's name", rlimit::PATTERN, rlimit::check);
pub(crate) static CPUSET: Text = text("a list of CPUs like \"0-1,4\"", cpuset::PATTERN, cpuset::check);
pub(crate) static DEVICE: Text = text("a device like \"/dev/vda\"", "^/dev/.", |text| {
    if path::absolute(text).is_ok_and(|path| path.starts_with("/dev/")) {
        return Ok(());
    }
    Err(Mistake::new(format!("\"{text}\" is no device")).help("devices are below /dev, like \"/dev/vda\""))
});

/// A string, or a number that is taken as it was typed.
pub(crate) static SCALAR: Shape = Shape::Any(&[
    Shape::Text(&ANY),
    Shape::Integer { min: i64::MIN, max: i64::MAX },
    Shape::Number { min: f64::MIN, max: f64::MAX },
]);

/// From the shortest to the longest time that a key of ours can sensibly have.
pub(crate) const fn time_from(min: Duration, max: Duration) -> Shape {
    Shape::Time { min, max }
}

pub(crate) const fn size_from(min: u64) -> Shape {
    Shape::Size { min, max: size::MOST }
}

impl Node {
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.text().and_then(|text| size::parse(text).ok())
    }

    pub(crate) fn time(&self) -> Option<Duration> {
        self.text().and_then(|text| time::parse(text).ok())
    }

    /// Each text of a text or a list of texts.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.each().iter().filter_map(Node::text).map(|text| text.to_string()).collect()
    }

    /// What `read` makes of this text.
    pub(crate) fn read<T>(&self, read: fn(&str) -> Result<T, Mistake>) -> Option<T> {
        self.text().and_then(|text| read(text).ok())
    }

    /// What `read` makes of each text.
    pub(crate) fn read_each<T>(&self, read: fn(&str) -> Result<T, Mistake>) -> Vec<T> {
        self.each().iter().filter_map(|node| node.read(read)).collect()
    }

    /// An integer that its shape keeps within `T`.
    pub(crate) fn number<T: TryFrom<i64>>(&self) -> Option<T> {
        self.integer().and_then(|number| T::try_from(number).ok())
    }
}
