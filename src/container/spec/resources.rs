//! `linux.resources` and `linux.devices` (runtime-spec 1.3, config-linux.md), field by field.
//!
//! Numbers are as wide as the specification has them, words are text: what they may be, and what a
//! kernel can do with them, is asked where they are used. `null` is as good as nothing said, since
//! engines written in Go send it.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::or_default;

/// A device to be made in the container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    pub path: String,
    /// `c`, `u` (the same), `b` or `p`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Not needed for a `p`.
    #[serde(default)]
    pub major: i64,
    #[serde(default)]
    pub minor: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_mode: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resources {
    /// In order; the last that speaks of a device decides.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceRule>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub memory: Memory,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub cpu: Cpu,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub pids: Pids,
    #[serde(rename = "blockIO", deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub block_io: BlockIo,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub hugepage_limits: Vec<HugepageLimit>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub network: Network,
    /// By the name of the device.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub rdma: BTreeMap<String, Rdma>,
    /// Files of cgroup v2 by name, for what the specification has no field for.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub unified: BTreeMap<String, String>,
}

impl Resources {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        is_default(self)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeviceRule {
    pub allow: bool,
    /// `a`, which is also meant by nothing; `c` or `b`.
    #[serde(
        rename = "type",
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub kind: String,
    /// Every one, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub major: Option<i64>,
    /// Every one, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minor: Option<i64>,
    /// Of `r`, `w` and `m` (mknod).
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub access: String,
}

/// Bytes; −1 is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reservation: Option<i64>,
    /// Memory and swap together, as the specification has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<i64>,
    #[serde(rename = "kernelTCP", skip_serializing_if = "Option::is_none")]
    pub kernel_tcp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swappiness: Option<u64>,
    #[serde(rename = "disableOOMKiller", skip_serializing_if = "Option::is_none")]
    pub disable_oom_killer: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_hierarchy: Option<bool>,
    /// Whether a limit below what is in use is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_before_update: Option<bool>,
}

/// Microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cpu {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shares: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realtime_runtime: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realtime_period: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mems: Option<String>,
    /// 1: only when nobody else wants the CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pids {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BlockIo {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf_weight: Option<u16>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub weight_device: Vec<WeightDevice>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub throttle_read_bps_device: Vec<Throttle>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub throttle_write_bps_device: Vec<Throttle>,
    #[serde(
        rename = "throttleReadIOPSDevice",
        deserialize_with = "or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub throttle_read_iops_device: Vec<Throttle>,
    #[serde(
        rename = "throttleWriteIOPSDevice",
        deserialize_with = "or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub throttle_write_iops_device: Vec<Throttle>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WeightDevice {
    pub major: i64,
    pub minor: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf_weight: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttle {
    pub major: i64,
    pub minor: i64,
    /// Bytes or operations a second.
    pub rate: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HugepageLimit {
    /// `64KB`, `2MB`, `1GB`: as the kernel's files have it.
    pub page_size: String,
    /// Bytes.
    pub limit: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    #[serde(rename = "classID", skip_serializing_if = "Option::is_none")]
    pub class_id: Option<u32>,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub priorities: Vec<InterfacePriority>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfacePriority {
    pub name: String,
    pub priority: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rdma {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hca_handles: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hca_objects: Option<u32>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field, with the names of the specification.
    const ALL: &str = r#"{
        "devices": [{ "allow": false, "access": "rwm" },
            { "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw" }],
        "memory": { "limit": 1, "reservation": 2, "swap": 3, "kernel": -1, "kernelTCP": -1, "swappiness": 0,
            "disableOOMKiller": false, "useHierarchy": true, "checkBeforeUpdate": true },
        "cpu": { "shares": 1024, "quota": 1000, "burst": 5, "period": 100000, "realtimeRuntime": 950000,
            "realtimePeriod": 1000000, "cpus": "2-3", "mems": "0-7", "idle": 0 },
        "pids": { "limit": 32771 },
        "blockIO": { "weight": 10, "leafWeight": 10,
            "weightDevice": [{ "major": 8, "minor": 0, "weight": 500, "leafWeight": 300 }],
            "throttleReadBpsDevice": [{ "major": 8, "minor": 0, "rate": 600 }],
            "throttleWriteBpsDevice": [{ "major": 8, "minor": 0, "rate": 601 }],
            "throttleReadIOPSDevice": [{ "major": 8, "minor": 16, "rate": 300 }],
            "throttleWriteIOPSDevice": [{ "major": 8, "minor": 16, "rate": 301 }] },
        "hugepageLimits": [{ "pageSize": "2MB", "limit": 209715200 }],
        "network": { "classID": 1048577, "priorities": [{ "name": "eth0", "priority": 500 }] },
        "rdma": { "mlx5_1": { "hcaHandles": 3, "hcaObjects": 10000 } },
        "unified": { "io.max": "259:0 rbps=2097152" } }"#;

    #[test]
    fn every_field_is_read_and_written_back() {
        let read: Resources = serde_json::from_str(ALL).unwrap();
        let written = serde_json::to_value(&read).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(ALL).unwrap());
    }

    #[test]
    fn nothing_and_null_are_the_same() {
        let nulls = r#"{ "devices": null, "memory": null, "cpu": { "cpus": null }, "pids": { "limit": null },
            "blockIO": { "weightDevice": null }, "hugepageLimits": null, "network": { "priorities": null },
            "rdma": null, "unified": null, "of a later version": 1 }"#;
        let read: Resources = serde_json::from_str(nulls).unwrap();
        assert!(read.is_empty());
        assert_eq!(serde_json::to_string(&read).unwrap(), "{}");
    }

    #[test]
    fn a_device_has_what_mknod_asks_for() {
        let text = r#"{"path":"/dev/fuse","type":"c","major":10,"minor":229,"fileMode":438,"uid":0,"gid":0}"#;
        let device: Device = serde_json::from_str(text).unwrap();
        assert_eq!(
            (device.major, device.minor, device.file_mode, device.gid),
            (10, 229, Some(0o666), Some(0))
        );
        assert_eq!(serde_json::to_string(&device).unwrap(), text);
    }
}
