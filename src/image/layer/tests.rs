//! Layers made by hand → trees.

use super::*;
use crate::image::Error;
use crate::image::tar::tests::{header, member, pax, put};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

fn build(archive: &[u8]) -> Result<(Layer, Vec<u8>), Error> {
    let (mut builder, mut spool) = (Builder::default(), Vec::new());
    let mut write = |bytes: &[u8]| {
        spool.extend_from_slice(bytes);
        Ok::<(), Error>(())
    };
    for piece in archive.chunks(1000) {
        builder.push(piece, &mut write)?;
    }
    let layer = builder.finish(&mut write)?;
    assert_eq!(layer.spooled, spool.len() as u64);
    Ok((layer, spool))
}

fn file(path: &str) -> Vec<u8> {
    member(path, b'0', b"x")
}

fn dir(path: &str) -> Vec<u8> {
    header(path, b'5', 0, |block| put(block, 100, b"0000700\0"))
}

fn to(path: &str, flag: u8, target: &str) -> Vec<u8> {
    header(path, flag, 0, |block| put(block, 157, target.as_bytes()))
}

/// The tree as lines: kind, mode, path; `!` is opaque, `?` implied.
fn listing(layer: &Layer) -> Vec<String> {
    let tree = &layer.tree;
    let (mut lines, mut next) = (Vec::new(), vec![(String::new(), Tree::ROOT)]);
    while let Some((path, id)) = next.pop() {
        let node = &tree.nodes[id];
        let kind = match &node.content {
            Content::Directory(directory) => {
                next.extend(
                    directory
                        .children
                        .iter()
                        .rev()
                        .map(|(name, id)| (format!("{path}/{}", String::from_utf8_lossy(name)), *id)),
                );
                if directory.is_implied { "dir?" } else { "dir" }
            }
            Content::File(_) => "file",
            Content::Symlink(_) => "link",
            Content::Char { major: 0, minor: 0 } => "gone",
            Content::Char { .. } => "char",
            Content::Block { .. } => "block",
            Content::Fifo => "fifo",
        };
        let opaque = if node.meta.is_opaque() { "!" } else { "" };
        lines.push(format!("{kind}{opaque} {} {path}", node.links));
    }
    lines
}

fn check(archive: &[Vec<u8>], expected: &[&str]) {
    let (layer, _) = build(&archive.concat()).unwrap();
    assert_eq!(listing(&layer)[1..], *expected);
}

fn refuse(archive: &[Vec<u8>], expected: &str) {
    assert_eq!(build(&archive.concat()).unwrap_err().to_string(), expected);
}

#[test]
fn makes_parents_that_are_missing() {
    check(&[file("a/b/c")], &["dir? 3 /a", "dir? 2 /a/b", "file 1 /a/b/c"]);
    check(&[file("a/b"), dir("a")], &["dir 2 /a", "file 1 /a/b"]);
}

#[test]
fn takes_absolute_and_dotted_paths_as_below_the_root() {
    check(
        &[file("/etc/x"), file("./etc/./y"), file("etc//z")],
        &["dir? 2 /etc", "file 1 /etc/x", "file 1 /etc/y", "file 1 /etc/z"],
    );
    check(&[dir("./"), dir("/")], &[]);
}

#[test]
fn the_last_of_two_wins() {
    check(&[file("a"), to("a", b'2', "b")], &["link 1 /a"]);
    check(&[dir("a"), file("a/b"), file("a")], &["file 1 /a"]);
    check(&[file("a"), dir("a"), file("a/b")], &["dir 2 /a", "file 1 /a/b"]);
    check(&[file("a/b"), dir("a")], &["dir 2 /a", "file 1 /a/b"]);
    let (layer, spool) = build(&[member("a", b'0', b"old"), member("a", b'0', b"newer")].concat()).unwrap();
    let a = layer.tree.directory(Tree::ROOT).unwrap().children[&b"a"[..]];
    let Content::File(data) = &layer.tree.nodes[a].content else { panic!() };
    let Extent { from, len, .. } = data.extents[0];
    assert_eq!(&spool[from as usize..(from + len) as usize], b"newer");
}

#[test]
fn hard_links_are_names_of_one_file() {
    check(
        &[file("a"), to("b", b'1', "a"), to("d/c", b'1', "/b")],
        &["file 3 /a", "file 3 /b", "dir? 2 /d", "file 3 /d/c"],
    );
    // The link keeps what the name was when it was made.
    check(&[file("a"), to("b", b'1', "a"), dir("a")], &["dir 2 /a", "file 1 /b"]);
    check(&[to("s", b'2', "x"), to("b", b'1', "s"), to("b", b'1', "b")], &["link 2 /b", "link 2 /s"]);
    let no_such = "which this layer does not have before it";
    refuse(&[to("b", b'1', "a"), file("a")], &format!("b: hard link to `a`, {no_such}"));
    refuse(&[to("b", b'1', "../a")], "b: hard link to `../a`: the path leads upwards (`..`)");
    refuse(&[to("b", b'1', "/etc/shadow")], &format!("b: hard link to `/etc/shadow`, {no_such}"));
    refuse(&[dir("a"), to("b", b'1', "a")], "b: hard link to `a`, a directory");
    refuse(&[to("b", b'1', "")], "b: hard link to `(empty name)`: a member without a name");
}

#[test]
fn whiteouts_become_those_of_overlay() {
    check(&[file("d/.wh.a"), file(".wh.b")], &["gone 2 /b", "dir? 2 /d", "gone 2 /d/a"]);
    check(&[dir("d"), file("d/.wh..wh..opq"), file("d/x")], &["dir! 2 /d", "file 1 /d/x"]);
    check(&[file("d/.wh..wh..opq")], &["dir?! 2 /d"]);
    // Gone below, here again: in either order.
    check(&[file(".wh.a"), file("a")], &["file 1 /a"]);
    check(&[file("a"), file(".wh.a")], &["file 1 /a"]);
    check(&[dir("d"), file("d/x"), file(".wh.d")], &["dir! 2 /d", "file 1 /d/x"]);
    check(&[file(".wh.d"), file("d/x")], &["dir! 2 /d", "file 1 /d/x"]);
    // Overlay would list a whiteout in a directory that it does not merge.
    check(&[file("d/.wh.a"), file("d/.wh..wh..opq")], &["dir?! 2 /d"]);
    check(&[file(".wh..wh.plnk/1"), file(".wh..wh.aufs"), file("a")], &["file 1 /a"]);
    check(&[header("a", b'3', 0, |_| {})], &["gone 1 /a"]);
    refuse(&[file("d/.wh.")], "d/.wh.: a whiteout without a name");
    refuse(&[file("d/.wh...")], "d/.wh...: a whiteout without a name");
    refuse(&[file(".wh.d/x")], ".wh.d/x: an entry below a whiteout");
}

#[test]
fn refuses_hostile_paths_by_name() {
    refuse(&[file("../../etc/passwd")], "../../etc/passwd: the path leads upwards (`..`)");
    refuse(&[file("a/../b")], "a/../b: the path leads upwards (`..`)");
    refuse(&[file("")], "(empty name): a member without a name");
    refuse(&[to("a", b'2', "/etc"), file("a/passwd")], "a/passwd: `a` is not a directory in this layer");
    refuse(&[file("a"), file("a/b/c")], "a/b/c: `a` is not a directory in this layer");
    refuse(&[file(".")], ".: the root is not a directory");
    refuse(&[pax(&[("path", "a\0b")]), file("x")], "a\\u{0}b: a NUL in the path");
    let name = "n".repeat(256);
    let shown = format!("{}…", "n".repeat(200));
    refuse(
        &[pax(&[("path", &name)]), file("x")],
        &format!("{shown}: a name of 256 bytes, more than the 255 that Linux has"),
    );
    let path = format!("{}n", "n/".repeat(2049));
    let shown = format!("{}…", "n/".repeat(100));
    refuse(
        &[pax(&[("path", &path)]), file("x")],
        &format!("{shown}: a path of 4099 bytes, more than the 4096 that Linux opens"),
    );
    refuse(&[to("a", b'2', "")], "a: a symbolic link without a target");
    let target = "t".repeat(4096);
    refuse(
        &[pax(&[("linkpath", &target)]), to("a", b'2', "x")],
        "a: a symbolic link's target of 4096 bytes, more than the 4095 that Linux follows",
    );
}

#[test]
fn keeps_known_xattrs_and_refuses_those_of_overlay() {
    let with =
        |name: &str, value: &str| [pax(&[(&format!("SCHILY.xattr.{name}"), value)]), file("a")].concat();
    let (layer, _) = build(&with("security.capability", "\0\u{1}")).unwrap();
    let xattrs = &layer.tree.nodes[1].meta.xattrs;
    assert_eq!(*xattrs, [(b"security.capability".to_vec(), vec![0, 1])].into());
    let (layer, _) = build(&with("com.apple.quarantine", "x")).unwrap();
    assert_eq!(layer.tree.nodes[1].meta.xattrs.len(), 0);
    assert_eq!(layer.warnings, ["a: left out the xattr `com.apple.quarantine`, which Linux does not have"]);
    refuse(
        &[with("trusted.overlay.redirect", "/x")],
        "a: the xattr `trusted.overlay.redirect`, which belongs to overlay",
    );
    refuse(
        &[with("user.overlay.opaque", "y")],
        "a: the xattr `user.overlay.opaque`, which belongs to overlay",
    );
    refuse(&[with("user.large", &"v".repeat(65536))], "a: more than 65536 bytes of xattrs");
    let name = format!("user.{}", "n".repeat(251));
    refuse(&[with(&name, "")], "a: an xattr's name of 256 bytes, more than the 255 that Linux has");
}

#[test]
fn contents_lose_their_holes_on_the_way() {
    fn check(body: &[u8], expected: &[(u64, u64)]) {
        let (layer, spool) = build(&member("a", b'0', body)).unwrap();
        let Content::File(data) = &layer.tree.nodes[1].content else { panic!() };
        let found: Vec<_> = data.extents.iter().map(|extent| (extent.at, extent.len)).collect();
        assert_eq!((data.size, found.as_slice()), (body.len() as u64, expected));
        let mut again = vec![0; body.len()];
        for Extent { at, len, from } in &data.extents {
            again[*at as usize..(at + len) as usize]
                .copy_from_slice(&spool[*from as usize..(from + len) as usize]);
        }
        assert_eq!(again, body);
    }
    let place = |size: usize, set: &[usize]| {
        let mut body = vec![0; size];
        set.iter().for_each(|at| body[*at] = 1);
        body
    };
    check(b"", &[]);
    check(&[0; 5000], &[]);
    check(&[1; 10_000], &[(0, 10_000)]);
    check(&place(20_000, &[5000, 19_999]), &[(4096, 4096), (16_384, 3616)]);
    check(&place(4097, &[4096]), &[(4096, 1)]);
    check(&place(12_288, &[0, 4096]), &[(0, 8192)]);
}

#[test]
fn refuses_a_truncated_layer() {
    refuse(&[file("a"), vec![1]], "tar, byte 1025: truncated: the archive ends within a member");
}
