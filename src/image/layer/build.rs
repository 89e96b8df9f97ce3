//! Entries, one after another → the tree.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::assemble::{OpenFile, Spool};
use super::path::{Meaning, meaning, names};
use super::tree::{Content, Data, Directory, Meta, Node, NodeId, Tree};
use super::xattrs::judge;
use crate::image::Error;
use crate::image::error::show;
use crate::image::tar::{Entry, Event, Kind, Reader};

/// Several times the files of the largest images in use; a hostile one ends here instead of
/// taking all memory.
const MAX_NODES: usize = 1 << 21;

/// Names, targets and xattrs together, for the same reason.
const MAX_TEXT: usize = 512 << 20;

/// An uncompressed layer above this would take hours only to be read.
const MAX_LAYER: u64 = 1 << 40;

/// SYMLOOP aside, the longest target that Linux follows (PATH_MAX with its NUL).
const MAX_TARGET: usize = 4095;

/// Enough to see what happened.
const MAX_WARNINGS: usize = 20;

/// A finished layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub tree: Tree,
    /// Bytes that went to the spool.
    pub spooled: u64,
    /// What was left out, and why.
    pub warnings: Vec<String>,
}

/// Takes a layer's tar in pieces.
pub struct Builder {
    reader: Reader,
    tree: Tree,
    open: Option<OpenFile>,
    spooled: u64,
    taken: u64,
    text: usize,
    warnings: Vec<String>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            reader: Reader::default(),
            tree: Tree::new(),
            open: None,
            spooled: 0,
            taken: 0,
            text: 0,
            warnings: Vec::new(),
        }
    }
}

impl Builder {
    /// The contents of files go through `spool`, one after another.
    pub fn push<F, E>(&mut self, mut input: &[u8], spool: &mut F) -> Result<(), E>
    where
        F: FnMut(&[u8]) -> Result<(), E>,
        E: From<Error>,
    {
        self.taken = self.taken.saturating_add(input.len() as u64);
        if self.taken > MAX_LAYER {
            return Err(
                Error::new("layer", format!("more than {MAX_LAYER} bytes without compression")).into()
            );
        }
        while !input.is_empty() {
            let (taken, event) = self.reader.read(input)?;
            input = input.get(taken..).unwrap_or_default();
            match event {
                Event::None => {}
                Event::Data { at, bytes } => {
                    if let Some(open) = &mut self.open {
                        open.push(at, bytes, &mut Spool { write: spool, len: &mut self.spooled })?;
                    }
                }
                Event::Entry(entry) => {
                    self.close(spool)?;
                    self.entry(*entry)?;
                }
            }
        }
        Ok(())
    }

    /// The archive has ended.
    pub fn finish<F, E>(mut self, spool: &mut F) -> Result<Layer, E>
    where
        F: FnMut(&[u8]) -> Result<(), E>,
        E: From<Error>,
    {
        self.close(spool)?;
        self.reader.finish()?;
        self.tree.finish();
        Ok(Layer { tree: self.tree, spooled: self.spooled, warnings: self.warnings })
    }

    fn close<F, E>(&mut self, spool: &mut F) -> Result<(), E>
    where
        F: FnMut(&[u8]) -> Result<(), E>,
    {
        if let Some(open) = self.open.take() {
            let (id, data) = open.finish(&mut Spool { write: spool, len: &mut self.spooled })?;
            if let Some(node) = self.tree.nodes.get_mut(id) {
                node.content = Content::File(data);
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: Entry) -> Result<(), Error> {
        let path = entry.path.clone();
        self.insert(entry).map_err(|what| Error::at_path(&path, what))
    }

    fn insert(&mut self, entry: Entry) -> Result<(), String> {
        let path = entry.path.clone();
        let names = names(&path)?;
        self.count(&entry)?;
        let meaning = meaning(&names)?;
        if meaning == Meaning::Bookkeeping {
            return Ok(());
        }
        let Some((last, parents)) = names.split_last() else {
            return self.root(entry);
        };
        let parent = self.parents(parents)?;
        match meaning {
            Meaning::Bookkeeping => Ok(()),
            Meaning::Opaque => {
                self.directory(parent)?.is_opaque = true;
                Ok(())
            }
            Meaning::Whiteout(name) => {
                self.directory(parent)?.whiteouts.insert(name.to_vec());
                Ok(())
            }
            Meaning::Entry => self.child(parent, last, entry),
        }
    }

    fn count(&mut self, entry: &Entry) -> Result<(), String> {
        let target = match &entry.kind {
            Kind::Symlink(target) | Kind::HardLink(target) => target.len(),
            Kind::File { .. } | Kind::Directory | Kind::Char { .. } | Kind::Block { .. } | Kind::Fifo => 0,
        };
        let xattrs: usize =
            entry.xattrs.iter().map(|(name, value)| name.len().saturating_add(value.len())).sum();
        self.text = self.text.saturating_add(entry.path.len()).saturating_add(target).saturating_add(xattrs);
        if self.text > MAX_TEXT {
            return Err(format!("the layer's names and xattrs exceed {MAX_TEXT} bytes"));
        }
        if self.tree.nodes.len() >= MAX_NODES {
            return Err(format!("the layer has more than {MAX_NODES} files"));
        }
        Ok(())
    }

    fn root(&mut self, entry: Entry) -> Result<(), String> {
        if entry.kind != Kind::Directory {
            return Err(String::from("the root is not a directory"));
        }
        self.known_directory(Tree::ROOT, entry)
    }

    /// A directory that was there gets an entry, or another one.
    fn known_directory(&mut self, id: NodeId, entry: Entry) -> Result<(), String> {
        let meta = self.meta(entry)?;
        if let Some(node) = self.tree.nodes.get_mut(id) {
            node.meta = meta;
        }
        self.directory(id)?.is_implied = false;
        Ok(())
    }

    /// The directory that these names lead to; what is missing on the way is made.
    fn parents(&mut self, names: &[&[u8]]) -> Result<NodeId, String> {
        let mut here = Tree::ROOT;
        for name in names {
            here = match self.directory(here)?.children.get(*name) {
                Some(child) => *child,
                None => {
                    let made = self.tree.add(Node::implied());
                    self.directory(here)?.children.insert(name.to_vec(), made);
                    made
                }
            };
            if self.tree.directory(here).is_none() {
                return Err(format!("`{}` is not a directory in this layer", show(name)));
            }
        }
        Ok(here)
    }

    fn directory(&mut self, id: NodeId) -> Result<&mut Directory, String> {
        self.tree.directory_mut(id).ok_or_else(|| String::from("its parent is not a directory"))
    }

    fn child(&mut self, parent: NodeId, name: &[u8], entry: Entry) -> Result<(), String> {
        let id = match &entry.kind {
            Kind::HardLink(target) => self.target(target)?,
            Kind::Directory => {
                let there = self.directory(parent)?.children.get(name).copied();
                if let Some(there) = there.filter(|there| self.tree.directory(*there).is_some()) {
                    return self.known_directory(there, entry);
                }
                self.node(entry, Content::Directory(Directory::default()))?
            }
            Kind::File { size } => {
                let size = *size;
                let id = self.node(entry, Content::File(Data::default()))?;
                self.open = Some(OpenFile::new(id, size));
                id
            }
            Kind::Symlink(target) => {
                let target = symlink_target(target)?;
                self.node(entry, Content::Symlink(target))?
            }
            Kind::Char { major, minor } => {
                let content = Content::Char { major: *major, minor: *minor };
                self.node(entry, content)?
            }
            Kind::Block { major, minor } => {
                let content = Content::Block { major: *major, minor: *minor };
                self.node(entry, content)?
            }
            Kind::Fifo => self.node(entry, Content::Fifo)?,
        };
        self.directory(parent)?.children.insert(name.to_vec(), id);
        Ok(())
    }

    fn node(&mut self, entry: Entry, content: Content) -> Result<NodeId, String> {
        let meta = self.meta(entry)?;
        Ok(self.tree.add(Node::new(meta, content)))
    }

    fn meta(&mut self, entry: Entry) -> Result<Meta, String> {
        let (xattrs, dropped) = judge(entry.xattrs)?;
        for name in dropped {
            if self.warnings.len() < MAX_WARNINGS {
                let (path, name) = (show(&entry.path), show(&name));
                self.warnings.push(format!("{path}: left out the xattr `{name}`, which Linux does not have"));
            }
        }
        Ok(Meta { mode: entry.mode, uid: entry.uid, gid: entry.gid, mtime: entry.mtime, xattrs })
    }

    /// What a hard link names: a file that came before it, in this layer.
    fn target(&self, target: &[u8]) -> Result<NodeId, String> {
        let shown = show(target);
        let names = names(target).map_err(|what| format!("hard link to `{shown}`: {what}"))?;
        let step = |here: NodeId, name: &&[u8]| self.tree.directory(here)?.children.get(*name).copied();
        let found = names.iter().try_fold(Tree::ROOT, step);
        let found = found
            .ok_or_else(|| format!("hard link to `{shown}`, which this layer does not have before it"))?;
        if self.tree.directory(found).is_some() {
            return Err(format!("hard link to `{shown}`, a directory"));
        }
        Ok(found)
    }
}

fn symlink_target(target: &[u8]) -> Result<Vec<u8>, String> {
    match target.len() {
        0 => Err(String::from("a symbolic link without a target")),
        1..=MAX_TARGET if target.contains(&0) => Err(String::from("a NUL in the target of a symbolic link")),
        1..=MAX_TARGET => Ok(target.to_vec()),
        len => Err(format!(
            "a symbolic link's target of {len} bytes, more than the {MAX_TARGET} that Linux follows"
        )),
    }
}
