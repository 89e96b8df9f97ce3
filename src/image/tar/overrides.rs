//! What stands in front of a member and changes it: pax records, and GNU's long names.

use alloc::string::String;
use alloc::vec::Vec;

use super::header::{Header, text};
use super::pax::{self, Pax};

/// For the next member; gone with it.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    pub(super) pax: Pax,
    pub(super) long_path: Option<Vec<u8>>,
    pub(super) long_link: Option<Vec<u8>>,
}

impl Overrides {
    pub(super) fn is_empty(&self) -> bool {
        self.pax.is_empty() && self.long_path.is_none() && self.long_link.is_none()
    }

    pub(super) fn read(&mut self, flag: u8, body: &[u8]) -> Result<(), String> {
        match flag {
            b'L' => self.long_path = Some(text(body).to_vec()),
            b'K' => self.long_link = Some(text(body).to_vec()),
            b'g' => pax::check_global(body)?,
            _ => self.pax.read(body)?,
        }
        Ok(())
    }

    pub(super) fn forget(&mut self, flag: u8) {
        match flag {
            b'L' => self.long_path = None,
            b'K' => self.long_link = None,
            _ => {}
        }
    }

    pub(super) fn path(&self, header: &Header) -> Vec<u8> {
        let given = [&self.pax.sparse.name, &self.pax.path, &self.long_path];
        given.into_iter().flatten().next().unwrap_or(&header.path).clone()
    }
}
