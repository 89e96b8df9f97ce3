//! What befalls a machine's disk while the machine runs.

use serde_json::json;

use crate::error::Result;
use crate::machine::Machine;

impl Machine {
    /// From now on the disk takes one byte a second: who waits for it waits for longer than anybody looks.
    pub fn stall_disk(&self) -> Result<()> {
        self.slow_disk(1)
    }

    /// It answers all that it was asked meanwhile.
    pub fn resume_disk(&self) -> Result<()> {
        self.slow_disk(0)
    }

    /// So many bytes a second; 0: as many as it can.
    pub fn slow_disk(&self, bytes: u64) -> Result<()> {
        let limits = json!({
            "device": "disk", "bps": bytes, "bps_rd": 0, "bps_wr": 0, "iops": 0, "iops_rd": 0, "iops_wr": 0
        });
        self.monitor.command("block_set_io_throttle", &limits).map(drop)
    }

    /// Pulls it out, and waits until the guest has let go of it.
    pub fn pull_disk(&self) -> Result<()> {
        self.monitor.command("device_del", &json!({ "id": "disk" }))?;
        self.wait("the guest to let go of its disk", |state| state.disk_is_out.then_some(()))
    }
}
