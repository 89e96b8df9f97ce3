//! `linux.netDevices`: network interfaces of this computer that become a container's (config-linux.md,
//! Network Devices). They keep their addresses, and come up.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};

use orlop::container::spec::NetDevice;
use orlop::network::netlink::Question;
use orlop::network::{Change, Found, LinkRef, Scope};

use super::failure::{Failure, Result, at};
use crate::engine::links::{Error, Kernel};
use crate::linux::clone::{Cloned, Parent, clone3, flags};
use crate::linux::{fd, namespace, process, signal, wait};

/// Moves them to the network namespace of a process, which cannot end meanwhile.
///
/// # Errors
/// There is no such interface, or one has its name there.
pub(crate) fn give(devices: &BTreeMap<String, NetDevice>, pid: i32, target: BorrowedFd<'_>) -> Result<()> {
    if devices.is_empty() {
        return Ok(());
    }
    let (hear, tell) = fd::pipe().map_err(at("linux.netDevices"))?;
    // A child of ours goes there, so that we stay where we are.
    match clone3(Parent::Caller, 0, None).map_err(at("linux.netDevices"))? {
        Cloned::Child => {
            signal::reset();
            if let Err(why) = move_all(devices, pid, target) {
                let _ = nix::unistd::write(&tell, why.as_bytes());
            }
            process::exit_now(0)
        }
        Cloned::Parent { pidfd, .. } => {
            drop(tell);
            let mut why = String::new();
            let heard = std::fs::File::from(hear).read_to_string(&mut why);
            let _ = wait::wait_for(pidfd.as_fd());
            match heard {
                Ok(0) => Ok(()),
                _ => Err(Failure::new(format!("linux.netDevices: {why}"))),
            }
        }
    }
}

fn move_all(
    devices: &BTreeMap<String, NetDevice>,
    pid: i32,
    target: BorrowedFd<'_>,
) -> core::result::Result<(), String> {
    let said = |error: Error| error.to_string();
    let mut here = Kernel::open().map_err(said)?;
    let links = here.list(Question::Links).map_err(said)?;
    let addresses = here.list(Question::Addresses).map_err(said)?;
    namespace::join_those_of(target, flags::NEWNET).map_err(|errno| errno.desc().to_owned())?;
    let mut there = Kernel::open().map_err(said)?;
    for (name, device) in devices {
        let found = links.links.iter().find(|link| link.name == *name);
        let index = found.ok_or_else(|| format!("there is no interface {name}"))?.index;
        let link = LinkRef { index, name: name.clone() };
        let new_name = device.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| name.clone());
        let before = numbers(&mut there).map_err(said)?;
        let change = Change::Move { link, pid: pid.unsigned_abs(), name: new_name.clone() };
        here.apply(&change).map_err(|error| format!("{name}: {error}"))?;
        let after = numbers(&mut there).map_err(said)?;
        let index = after.into_iter().find(|index| !before.contains(index));
        let index = index.ok_or_else(|| format!("{name} did not arrive"))?;
        for change in
            restored(&addresses, found.map_or(0, |link| link.index), &LinkRef { index, name: new_name })
        {
            there.apply(&change).map_err(|error| format!("{change}: {error}"))?;
        }
    }
    Ok(())
}

fn numbers(kernel: &mut Kernel) -> core::result::Result<Vec<u32>, Error> {
    Ok(kernel.list(Question::Links)?.links.iter().map(|link| link.index).collect())
}

/// What makes a link of there what it was here: what somebody set for the world to see, and up.
fn restored(before: &Found, index: u32, link: &LinkRef) -> Vec<Change> {
    let lasting =
        before.addresses.iter().filter(|it| it.link == index && it.permanent && it.scope == Scope::Universe);
    let added = lasting.map(|it| Change::AddAddress { link: link.clone(), address: it.cidr });
    added.chain([Change::SetUp { link: link.clone() }]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use orlop::config::Cidr;
    use orlop::network::Address;

    #[test]
    fn lasting_addresses_are_kept_and_the_link_comes_up() {
        let address = |link, text: &str, permanent, scope| Address {
            link,
            cidr: Cidr { address: text.parse().unwrap(), prefix: 24 },
            permanent,
            scope,
        };
        let before = Found {
            addresses: vec![
                address(2, "192.0.2.7", true, Scope::Universe),
                address(2, "192.0.2.8", false, Scope::Universe),
                address(2, "169.254.0.1", true, Scope::Link),
                address(3, "192.0.2.9", true, Scope::Universe),
            ],
            ..Found::default()
        };
        let changes = restored(&before, 2, &LinkRef { index: 9, name: "eth0".into() });
        let said: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["eth0: add address 192.0.2.7/24", "eth0: up"]);
    }
}
