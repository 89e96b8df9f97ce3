//! Names that people bring with them and that are none of ours, with what to write instead.

use super::super::shape::{Refused, refused};

/// Compose's top level, and our own names in the plural.
pub(crate) const ROOT: &[Refused] = &[
    refused("containers", "write [container.NAME]: names of tables are singular"),
    refused("services", "write [container.NAME]"),
    refused("service", "write [container.NAME]"),
    refused("volumes", "write [volume.NAME]: names of tables are singular"),
    refused("networks", NETWORKS),
    refused(
        "network",
        "this version has no networks between containers; the machine's stand in [host.network.NAME]",
    ),
    refused("secrets", SECRETS),
    refused("secret", SECRETS),
    refused("configs", SECRETS),
    refused("groups", "write [group.NAME]"),
    refused("hosts", "write [host]"),
    refused("include", "all *.toml files of the folder are one configuration already"),
    refused("models", "there are no models here: a model runs in a container"),
    refused("name", "the machine's name is hostname in [host]"),
    refused("version", "a configuration has no version: leave it out"),
];

const NETWORKS: &str =
    "this version has no networks between containers: write network_mode = \"host\", or leave it out";
const PORTS: &str =
    "this version publishes no ports: with network_mode = \"host\" the program binds its port itself";
const SECRETS: &str =
    "this version has no secrets: mount a file, volumes = [\"/path/on/the/machine:/run/secrets:ro\"]";
const DNS: &str = "with network_mode = \"host\" the machine's [host.dns] counts";
const HOSTS: &str = "this version writes no names into /etc/hosts: mount a file there";
const ONE_NODE: &str = "there is one of each container on this machine: leave it out";
const SHARED: &str =
    "containers of one [group.NAME] may share namespaces: write share = [\"ipc\", \"uts\"] there";
const SWAP: &str = "write limits = { swap = \"64M\" }: swap alone, without memory";
const REAL_TIME: &str = "this version has no real-time budget: write limits = { cpus = 0.5 }";
const OOM: &str = "write limits = { oom = \"group\" }, or \"process\"; the machine protects itself";

/// Compose's keys of a service that a container does not have, and a few other spellings.
pub(crate) const CONTAINER: &[Refused] = &[
    // Identity.
    refused("container_name", "the name is the table's: [container.NAME]"),
    refused("name", "the name is the table's: [container.NAME]"),
    refused("domainname", "write the whole name in hostname"),
    refused("label_file", "write labels = { … }"),
    refused("annotations", "write labels = { … }"),
    refused("platform", "an image is of the machine's architecture: leave it out"),
    refused("runtime", "there is one runtime, and it is built in: leave it out"),
    refused("scale", ONE_NODE),
    refused(
        "profiles",
        "every container of the configuration runs: keep what does not run in another folder",
    ),
    refused("extends", "write the keys out: a configuration includes nothing"),
    refused("provider", "write image = \"…\""),
    // Image and process.
    refused("pull_policy", "images are part of the boot file: leave it out"),
    refused("pull_refresh_after", "images are part of the boot file: leave it out"),
    refused("build", "build the image first, and write image = \"oci-archive:images/web.tar\""),
    refused("attach", "the output of every container is kept: `orlop logs NAME` shows it"),
    refused("post_start", "this version has no hooks: do it in the program's entrypoint"),
    refused("pre_stop", "this version has no hooks: the program is asked by stop_signal"),
    refused("env", "write environment = { NAME = \"value\" }"),
    refused("args", "write command = [\"…\"]"),
    refused("cmd", "write command = [\"…\"]"),
    refused("exec", "write command = [\"…\"]"),
    refused("cwd", "write working_dir = \"/srv\""),
    refused("workdir", "write working_dir = \"/srv\""),
    refused("group", "write user = \"user:group\""),
    // File system.
    refused("volumes_from", "write the volumes out: several containers may mount one [volume.NAME]"),
    refused("volume", "write volumes = [\"data:/data\"]"),
    refused("mounts", "write volumes = [\"data:/data\"]"),
    refused("storage_opt", "the root's size is limits = { memory = \"…\" }: its changes stand in memory"),
    refused("configs", SECRETS),
    refused("secrets", SECRETS),
    // Isolation.
    refused("security_opt", "write `seccomp`, `apparmor` or `no_new_privileges`: each has a key of its own"),
    refused("userns_mode", "write userns = \"host\"; without it every container has its own range of ids"),
    refused("masked_paths", "they are the same for all, or none with privileged = true"),
    refused("pid", "every container has processes of its own: orlop top and orlop exec see into it"),
    refused("ipc", SHARED),
    refused("uts", SHARED),
    refused("cgroup_parent", "a container's cgroup is containers/NAME: write limits = { … }"),
    refused("isolation", "there is one way of isolation: leave it out"),
    refused("credential_spec", "there are no Windows credentials here"),
    refused("use_api_socket", "containers do not reach the control socket in this version"),
    // Devices.
    refused("device_cgroup_rules", "write devices = [\"/dev/ttyUSB0\"]: node and rule are one"),
    refused("gpus", "write devices = [\"/dev/dri\"]"),
    refused("device", "write devices = [\"/dev/ttyUSB0\"]"),
    // Limits.
    refused("cpus", "write limits = { cpus = 0.5 }"),
    refused("cpu_shares", "write limits = { cpu_weight = 100 }, from 1 to 10000"),
    refused("cpu_period", "write limits = { cpus = 0.5 }"),
    refused("cpu_quota", "write limits = { cpus = 0.5 }"),
    refused("cpu_rt_period", REAL_TIME),
    refused("cpu_rt_runtime", REAL_TIME),
    refused("cpu_count", "write limits = { cpus = 2 }"),
    refused("cpu_percent", "write limits = { cpus = 0.5 } for 50 %"),
    refused("cpuset", "write limits = { cpuset = \"0-1\" }"),
    refused("mem_limit", "write limits = { memory = \"128M\" }"),
    refused("mem_reservation", "write limits = { memory_low = \"64M\" }"),
    refused("mem_swappiness", SWAP),
    refused("memswap_limit", SWAP),
    refused("oom_kill_disable", OOM),
    refused("oom_score_adj", OOM),
    refused("pids_limit", "write limits = { pids = 64 }"),
    refused("blkio_config", "write limits = { io = [{ device = \"/dev/vda\", wbps = \"10M\" }] }"),
    // Network.
    refused("networks", NETWORKS),
    refused("ports", PORTS),
    refused("expose", PORTS),
    refused("dns", DNS),
    refused("dns_opt", DNS),
    refused("dns_search", DNS),
    refused("extra_hosts", HOSTS),
    refused("links", NETWORKS),
    refused("external_links", NETWORKS),
    refused("mac_address", NETWORKS),
    // Life cycle.
    refused("health_check", "write healthcheck = { … }"),
    refused("readiness", "write ready = \"notify\", \"fd\" or \"healthy\""),
    refused("oneshot", "write type = \"oneshot\""),
    refused("deploy", "write limits = { … } and restart_policy = { … } in the container"),
    refused("develop", "there is nothing to watch here: build the image again"),
    refused("models", "there are no models here: a model runs in a container"),
    refused("logging", "write log = { memory = \"256K\" }"),
    refused("after", "write depends_on = [\"db\"]"),
    refused("requires", "write depends_on = [\"db\"]"),
];
