//! What the machine's devices are: as containers ask for them, and as limits on them are written.

use std::collections::BTreeMap;
use std::path::Path;

use orlop::config::{Container, IoLimit};
use orlop::container::{DeviceKind, HostDevice};
use orlop::ordered::Ordered;

use crate::engine::Failure;
use crate::linux::node;

type Result<T> = core::result::Result<T, Failure>;

/// What a container is to have of it.
#[derive(Default)]
pub struct Hardware {
    pub disks: BTreeMap<String, (u32, u32)>,
    pub devices: BTreeMap<String, Vec<HostDevice>>,
}

impl Hardware {
    /// # Errors
    /// [`Failure`] naming the device that is not there.
    pub fn of(container: &Container) -> Result<Self> {
        Ok(Self { disks: disks(&container.limits.io)?, devices: devices(container)? })
    }
}

/// The device numbers that io limits are written with.
///
/// # Errors
/// [`Failure`] naming the device that is not there.
fn disks(limits: &[IoLimit]) -> Result<BTreeMap<String, (u32, u32)>> {
    let number = |limit: &IoLimit| match node::block_device(&limit.device) {
        Ok(numbers) => Ok((limit.device.clone(), numbers)),
        Err(errno) => Err(Failure::new("limits.io", &limit.device, errno)),
    };
    let numbers = limits.iter().map(number).collect::<Result<Vec<_>>>()?;
    Ok(numbers.into_iter().ordered())
}

/// What stands where `devices` points now; with `privileged`, everything.
///
/// # Errors
/// [`Failure`] naming the device that is not there.
fn devices(container: &Container) -> Result<BTreeMap<String, Vec<HostDevice>>> {
    let sources = container.devices.iter().map(|device| device.source.as_str());
    let at = |source: &str| match node::devices_at(source) {
        Ok(found) => Ok((source.to_owned(), found.into_iter().map(host_device).collect())),
        Err(errno) => Err(Failure::new("devices", source, errno)),
    };
    let found = sources.chain(container.privileged.then_some("/dev")).map(at).collect::<Result<Vec<_>>>()?;
    Ok(found.into_iter().ordered())
}

fn host_device(device: node::Device) -> HostDevice {
    let node::Device { path, is_block, major, minor, mode } = device;
    let kind = if is_block { DeviceKind::Block } else { DeviceKind::Character };
    HostDevice { path, kind, major, minor, mode }
}

/// Of every processor that has it: how often it was throttled, which tells of others' work.
pub fn thermal() -> Vec<String> {
    const CPUS: &str = "/sys/devices/system/cpu";
    // Processors of one machine are alike, and most virtual ones have none.
    if !Path::new(CPUS).join("cpu0/thermal_throttle").exists() {
        return Vec::new();
    }
    let names = std::fs::read_dir(CPUS).into_iter().flatten().flatten();
    names
        .map(|entry| entry.path().join("thermal_throttle"))
        .filter(|path| path.exists())
        .map(|path| path.to_string_lossy().into_owned())
        .collect()
}
