//! A FUSE file system that answers until something waits to be written to it, and never again. It goes on hearing what
//! it is asked: whoever has been heard cannot even be killed.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

use crate::script::mount_of;
use crate::system::{self, Fork, check};

/// Of linux/fuse.h.
const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const INIT: u32 = 26;
const BATCH_FORGET: u32 = 42;
const WRITEBACK_CACHE: u32 = 1 << 16;

/// The numbers of what is in it.
const ROOT: u64 = 1;
const FILE: u64 = 2;
const FOLDER: u64 = 3;

/// At `path`, with a file that was written to and a folder that something is mounted on. `PATH-now` is there when
/// nobody is answered any more.
pub(crate) fn serve(path: &str) -> Result<(), String> {
    let at = |what: &'static str| move |error: io::Error| format!("{path}: {what}: {error}");
    let mut device = fs::OpenOptions::new().read(true).write(true).open("/dev/fuse").map_err(at("open"))?;
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
    mount_of("fuse", "fuse", path, &options).map_err(at("mount"))?;
    let (mut done, ready) = io::pipe().map_err(at("pipe"))?;
    if let Fork::Child = system::fork().map_err(at("fork"))? {
        let used = use_it(path);
        drop(ready);
        // Holds the file open.
        let _file = used.map_err(at("use"))?;
        system::pause_for_ever()
    }
    drop(ready);
    answer_until(&mut device, &mut done).map_err(at("serve"))?;
    fs::write(format!("{path}-now"), "silent").map_err(at("tell"))?;
    let mut request = vec![0; 1 << 18];
    loop {
        device.read(&mut request).map_err(at("hear"))?;
    }
}

fn use_it(path: &str) -> io::Result<fs::File> {
    fs::metadata(path)?;
    mount_of("tmpfs", "tmpfs", &format!("{path}/folder"), "")?;
    let mut file = fs::OpenOptions::new().write(true).open(format!("{path}/file"))?;
    file.write_all(b"x")?;
    Ok(file)
}

/// Until the other end of `done` is closed.
fn answer_until(device: &mut fs::File, done: &mut io::PipeReader) -> io::Result<()> {
    let mut request = vec![0; 1 << 18];
    loop {
        let wait = |fd: i32| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut fds = [wait(device.as_raw_fd()), wait(done.as_raw_fd())];
        // SAFETY: the array lives through the call and has this length.
        check(unsafe { libc::poll(fds.as_mut_ptr(), 2, -1) })?;
        if fds[1].revents != 0 {
            return Ok(());
        }
        let length = device.read(&mut request)?;
        if let Some(answer) = answer(request.get(..length).unwrap_or_default()) {
            device.write_all(&answer)?;
        }
    }
}

fn number(request: &[u8], at: usize) -> u32 {
    let bytes = request.get(at..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

fn answer(request: &[u8]) -> Option<Vec<u8>> {
    let (operation, node) = (number(request, 4), u64::from(number(request, 16)));
    let name = request.get(40..).unwrap_or_default();
    let (error, body) = match operation {
        FORGET | BATCH_FORGET => return None,
        INIT => (0, init()),
        LOOKUP if name == b"file\0" => (0, entry(FILE)),
        LOOKUP if name == b"folder\0" => (0, entry(FOLDER)),
        LOOKUP => (-libc::ENOENT, Vec::new()),
        GETATTR => (0, [valid(node), attributes(node)].concat()),
        OPEN => (0, vec![0; 16]),
        _ => (-libc::ENOSYS, Vec::new()),
    };
    let length = 16 + u32::try_from(body.len()).unwrap_or_default();
    let unique = request.get(8..16).unwrap_or_default();
    let head = [&length.to_ne_bytes()[..], &error.to_ne_bytes(), unique].concat();
    Some([head, body].concat())
}

/// fuse_init_out of version 7.31.
fn init() -> Vec<u8> {
    let words = [7, 31, 0, WRITEBACK_CACHE, 0, 1 << 16, 1];
    let mut body: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_ne_bytes()).collect();
    body.resize(64, 0);
    body
}

/// The head of fuse_attr_out: that of the root itself is believed for an hour, so that it can be bound elsewhere.
fn valid(node: u64) -> Vec<u8> {
    let seconds: u64 = if node == ROOT { 3600 } else { 0 };
    [seconds.to_ne_bytes(), [0; 8]].concat()
}

/// fuse_entry_out: believed for no moment, so that everybody who comes by asks again.
fn entry(node: u64) -> Vec<u8> {
    let mut body = node.to_ne_bytes().to_vec();
    body.resize(40, 0);
    [body, attributes(node)].concat()
}

/// fuse_attr.
fn attributes(node: u64) -> Vec<u8> {
    let mode = if matches!(node, ROOT | FOLDER) { libc::S_IFDIR | 0o755 } else { libc::S_IFREG | 0o644 };
    let mut body = node.to_ne_bytes().to_vec();
    body.resize(60, 0);
    body.extend(mode.to_ne_bytes());
    body.extend(1u32.to_ne_bytes());
    body.resize(88, 0);
    body
}
