//! What is built: how long it takes, and how large it is.

use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::Result;
use crate::guest::Bench;
use crate::table::Table;

const MIB: f64 = 1024.0 * 1024.0;

pub(crate) fn section(bench: &Bench, table: &mut Table) -> Result<()> {
    let work = tempfile::Builder::new().prefix("orlop-bench.").tempdir()?;
    table.begin("sizes, MiB");
    table.number("the binary (wanted: 4)", fs::metadata(&bench.binary)?.len() as f64 / MIB);
    let empty = work.path().join("empty.toml");
    fs::write(&empty, "[host]\nhostname = \"empty\"\n")?;
    let out = work.path().join("empty");
    let mut options = orlop_image::Options::new(&empty, &out);
    options.init = Some(bench.binary.clone());
    orlop_image::build(&options)?;
    let size = fs::metadata(out.join("initrd.img"))?.len() as f64 / MIB;
    table.number("the initramfs without images (wanted: 6)", size);

    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo");
    options.config = demo;
    options.out = work.path().join("demo");
    table.begin("image build of the demo, packages cached, s");
    let kernels = options.cache.join("kernel");
    options.cache = work.path().join("cache");
    fs::create_dir(&options.cache)?;
    std::os::unix::fs::symlink(kernels, options.cache.join("kernel"))?;
    for name in ["every layer converted (wanted: 20)", "again, layers cached"] {
        let begin = Instant::now();
        orlop_image::build(&options)?;
        table.number(name, begin.elapsed().as_secs_f64());
    }
    Ok(())
}
