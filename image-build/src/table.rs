//! What takes the space: a table for a person, the same lines in a pipe.

use crate::assemble::Built;
use crate::manifest::{Manifest, Part};

/// A line each: what, bytes, a remark.
struct Row {
    what: String,
    size: u64,
    remark: String,
}

fn row(what: impl Into<String>, size: u64, remark: impl Into<String>) -> Row {
    Row { what: what.into(), size, remark: remark.into() }
}

/// The whole text, with a newline at its end.
pub fn table(built: &Built) -> String {
    let rows = rows(&built.manifest);
    let width = rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0);
    let line = |row: &Row| {
        let text = format!("{:width$}  {:>10}  {}", row.what, bytes(row.size), row.remark);
        format!("{}\n", text.trim_end())
    };
    rows.iter().map(line).collect()
}

fn rows(manifest: &Manifest) -> Vec<Row> {
    let sum = |parts: &[Part]| parts.iter().map(|part| part.sum.size).sum::<u64>();
    let mut rows = vec![
        row(&manifest.kernel.file, manifest.kernel.sum.size, &manifest.kernel.version),
        row(&manifest.initrd.file, manifest.initrd.sum.size, ""),
    ];
    for archive in &manifest.initrd.archives {
        let remark = format!("{}, {} unpacked", archive.compression, bytes(archive.unpacked));
        rows.push(row(format!("  {}", archive.name), archive.size, remark));
        match archive.name.as_str() {
            "system" => {
                let modules = manifest.modules.iter().map(|module| module.part.sum.size).sum();
                rows.push(row("    /init", manifest.init.sum.size, ""));
                rows.push(row("    modules", modules, counted(manifest.modules.len(), "file")));
                rows.push(row(
                    "    configuration",
                    sum(&manifest.config),
                    counted(manifest.config.len(), "file"),
                ));
            }
            _ => rows.extend(
                manifest.store.iter().map(|part| row(format!("    {}", part.path), part.sum.size, "")),
            ),
        }
    }
    rows.push(row(&manifest.cmdline.file, manifest.cmdline.sum.size, ""));
    for image in &manifest.images {
        let layers = counted(image.layers.len(), "layer");
        let remark = format!("{layers}, for {}", image.containers.join(", "));
        rows.push(row(&image.source, 0, remark));
    }
    rows
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Three digits that matter, in binary units.
fn bytes(size: u64) -> String {
    let (mut value, mut units) = (size as f64, ["KiB", "MiB", "GiB"].into_iter());
    let mut unit = "B";
    while value >= 1024.0
        && let Some(next) = units.next()
    {
        value /= 1024.0;
        unit = next;
    }
    match unit {
        "B" => format!("{size} B"),
        unit if value < 10.0 => format!("{value:.2} {unit}"),
        unit if value < 100.0 => format!("{value:.1} {unit}"),
        unit => format!("{value:.0} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        let check = |size: u64, expected: &str| assert_eq!(bytes(size), expected);
        check(0, "0 B");
        check(1023, "1023 B");
        check(1024, "1.00 KiB");
        check(12_345_678, "11.8 MiB");
        check(500 << 20, "500 MiB");
        check(3 << 40, "3072 GiB");
    }
}
