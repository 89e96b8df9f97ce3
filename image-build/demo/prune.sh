#!/bin/sh
# Makes a root of extracted Debian packages into a container's: mmdebstrap calls it with the root.
# What only an installation needs goes: package tools, scripts, documents, programs that nobody
# named and the libraries that nobody needs then, and what the base layer has already.
#
# $PROGRAMS   names of programs to keep
# $LIBRARIES  sonames of libraries to keep though no program here needs them
# $BASE_LIST  a file that lists the paths of the base layer, or empty
set -eu
root=$1
cd "$root"

cp usr/share/base-passwd/passwd.master etc/passwd
cp usr/share/base-passwd/group.master etc/group

for folder in usr/bin usr/sbin; do
    for program in "$folder"/*; do
        case " $PROGRAMS " in
            *" ${program##*/} "*) ;;
            *) rm -f "$program" ;;
        esac
    done
done

# Every library that the dynamic linker would load, with the links that lead to it.
loader=$(find usr/lib -name 'ld-linux-*.so.*' | head -n 1)
libraries=${loader%/*}
{
    find usr/bin usr/sbin -type f | sed 's|^|/|'
    for name in $LIBRARIES; do echo "/$libraries/$name"; done
} | while read -r file; do
    # Scripts and static programs are no business of the linker.
    chroot . "/$loader" --list "$file" 2>/dev/null || true
done | sed -n 's|.*/\(lib[^ ]*\) (0x.*|\1|p' | sort -u >tmp/keep
for name in $LIBRARIES; do echo "$name"; done >>tmp/keep
if [ -s tmp/keep ]; then
    # The C library opens these by name, when a user or a host is looked up.
    printf '%s\n' libnss_files.so.2 libnss_dns.so.2 libresolv.so.2 >>tmp/keep
    while read -r name; do
        readlink -f "$libraries/$name" | sed 's|.*/||'
    done <tmp/keep >tmp/keep.files
    for file in "$libraries"/*; do
        case ${file##*/} in ld-linux-* | ossl-modules) continue ;; esac
        grep -qxF "${file##*/}" tmp/keep tmp/keep.files || rm -rf "$file"
    done
else
    rm -rf usr/lib/* usr/lib64
fi

for folder in usr/share etc var usr/lib; do
    for path in "$folder"/*; do
        case $path in
            usr/share/nginx | usr/share/zoneinfo | etc/nginx | etc/ssl | etc/passwd | etc/group) ;;
            etc/os-release | etc/debian_version | usr/lib/os-release | var/lib | var/log | var/tmp) ;;
            usr/lib/*-linux-gnu* | usr/lib/nginx | usr/lib/ssl) ;;
            *) rm -rf "$path" ;;
        esac
    done
done
# Not dev, proc and sys: mmdebstrap has mounted things there, and leaves them empty itself.
rm -rf boot home media mnt opt srv usr/games usr/include usr/src usr/local lib32 libx32 usr/lib32 usr/libx32 \
    usr/libexec var/lib/* var/log/* run/* tmp/*
ln -s /run var/run

if [ -n "$BASE_LIST" ]; then
    while read -r path; do
        if [ -L "$path" ] || [ -f "$path" ]; then rm -f "$path"; fi
    done <"$BASE_LIST"
fi
