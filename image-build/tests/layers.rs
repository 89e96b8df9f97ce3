//! A converted layer is, file by file, what GNU tar extracts.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step ends the test"
)]

mod common;

use common::snapshot::{assert_same, snapshot};
use common::{Mounted, converted, sh, temp};

/// One of each: types, modes, owners, times, links, names, sizes around a block, xattrs, holes.
const ODD_FILES: &str = r#"
    mkdir -p tree/dir/empty "tree/$(printf 'sp ace\303\244')" tree/wide
    cd tree
    printf hello > file; : > zero; cp file dir/copy
    for size in 1 31 4031 4032 4033 4064 4095 4096 4097 8191 8192 8193 100000; do
        head -c $size /dev/urandom > dir/size-$size
    done
    ln file dir/link; ln file dir/link2; ln -s ../file dir/sym; ln dir/sym dir/sym-link
    ln -s "$(printf '%04000d' 0)" long-sym
    ln -s /absolute/and/dangling dangling
    mkfifo -m 0620 fifo; mknod char c 1 3; mknod block b 8 300000; mknod big-char c 4095 1048575
    chmod 4755 file; chmod 1777 dir/empty; chmod 2711 dir; chmod 0 dir/copy
    chown 1000:1001 dir/copy; chown 70000:4000000000 dir/size-1; chown -h 12:13 dangling
    touch -d '1970-01-01 00:00:00 UTC' zero; touch -h -d '2030-01-01 UTC' dangling
    touch -d '1960-02-03 04:05:06.75 UTC' dir/size-31; touch -d '2020-02-03 04:05:06.123456789 UTC' dir/size-4096
    touch -d '2200-01-01 UTC' dir/size-4097
    i=0; while [ $i -lt 700 ]; do : > wide/file-with-a-name-that-fills-the-directory-$i; i=$((i+1)); done
    : > "wide/$(printf '%0255d' 7)"
    mkdir -p "$(printf 'd%0120d/' 1 2 3)"; printf deep > "$(printf 'd%0120d/' 1 2 3)/f"
    truncate -s 1M holes; printf x | dd of=holes bs=1 seek=500000 conv=notrunc status=none
    truncate -s 3M only-hole
    printf 'first' > many-holes; i=1; while [ $i -lt 40 ]; do printf "piece $i" | dd of=many-holes bs=1 seek=$((i*150000)) conv=notrunc status=none; i=$((i+1)); done
    cp file capable; setcap cap_net_bind_service,cap_net_raw+ep capable
    python3 - <<'PY'
import os
os.setxattr('file', 'user.plain', b'value')
os.setxattr('file', 'user.empty', b'')
os.setxattr('file', 'trusted.some', bytes(range(256)))
os.setxattr('dir', 'user.on-a-directory', b'yes')
os.setxattr('dir/size-4095', 'user.large', b'L' * 3000)
os.setxattr('dir/size-8191', 'user.' + 'n' * 250, b'')
os.setxattr('dangling', 'trusted.on-a-link', b'1', follow_symlinks=False)
PY
"#;

/// Makes the odd files with one way of calling tar, converts, and compares with tar's extraction.
fn check(archive: &str, compress: &str) {
    let dir = temp();
    let path = dir.path();
    sh(path, ODD_FILES);
    sh(
        path,
        &format!("tar --sort=name --xattrs --xattrs-include='*' {archive} -cf layer.tar -C tree ."),
    );
    sh(
        path,
        "mkdir wanted; tar --xattrs --xattrs-include='*' --same-owner -p --numeric-owner -xf layer.tar -C wanted",
    );
    sh(path, &format!("{compress} < layer.tar > layer"));
    let done = converted(
        &path.join("layer"),
        &path.join("layer.tar"),
        &path.join("cache"),
    );
    assert_eq!(done.warnings, Vec::<String>::new());
    let mounted = Mounted::new(&done.file);
    assert_same(
        &snapshot(&path.join("wanted")),
        &snapshot(mounted.dir.path()),
    );
    sh(path, &format!("fsck.erofs {}", done.file.display()));
}

#[test]
fn a_pax_layer_is_what_tar_extracts() {
    check("--format=pax", "gzip -1");
}

#[test]
fn a_layer_of_every_sparse_format_is_what_tar_extracts() {
    for version in ["0.0", "0.1", "1.0"] {
        check(
            &format!("--format=pax --sparse --sparse-version={version}"),
            "cat",
        );
    }
}
