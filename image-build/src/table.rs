//! What takes the space: a table for a person, the same lines in a pipe.

use std::cmp::Reverse;

use crate::assemble::Built;
use crate::manifest::{Image, Manifest, Part};

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
    let mut rows = vec![
        row(&manifest.kernel.file, manifest.kernel.sum.size, &manifest.kernel.version),
        row(&manifest.initrd.file, manifest.initrd.sum.size, ""),
    ];
    for archive in &manifest.initrd.archives {
        let remark = match archive.compression.as_str() {
            "none" => String::new(),
            compression => format!("{compression}, {} unpacked", bytes(archive.unpacked)),
        };
        rows.push(row(format!("  {}", archive.name), archive.size, remark));
        match archive.name.as_str() {
            "system" => rows.extend(system(manifest)),
            _ => rows.extend(store(manifest)),
        }
    }
    rows.push(row(&manifest.cmdline.file, manifest.cmdline.sum.size, ""));
    rows
}

fn system(manifest: &Manifest) -> Vec<Row> {
    let modules = manifest.modules.iter().map(|module| module.part.sum.size).sum();
    let config = manifest.config.iter().map(|part| part.sum.size).sum();
    let mut rows = vec![row("    /init", manifest.init.sum.size, "")];
    rows.extend(manifest.tls.iter().map(|part| row("    orlop-tls", part.sum.size, "")));
    rows.push(row("    modules", modules, counted(manifest.modules.len(), "file")));
    rows.push(row("    configuration", config, counted(manifest.config.len(), "file")));
    rows
}

/// A row for each layer, largest first, with the images that it is in, and one for all else.
fn store(manifest: &Manifest) -> Vec<Row> {
    let (layers, documents): (Vec<&Part>, Vec<&Part>) =
        manifest.store.iter().partition(|part| part.path.ends_with(".erofs"));
    let mut rows: Vec<Row> = layers.iter().map(|part| layer(part, manifest)).collect();
    rows.sort_by_key(|row| Reverse(row.size));
    let size = documents.iter().map(|part| part.sum.size).sum();
    rows.push(row("    documents", size, counted(documents.len(), "file")));
    rows
}

fn layer(part: &Part, manifest: &Manifest) -> Row {
    let name = part.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".erofs");
    let holds = |image: &&Image| image.layers.iter().any(|layer| layer.ends_with(name));
    let images: Vec<&str> = manifest.images.iter().filter(holds).map(|image| image.source.as_str()).collect();
    // As many digits as tell the layers of one machine apart.
    let short = name.get(..12).unwrap_or(name);
    row(format!("    layer {short}"), part.sum.size, images.join(", "))
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
