//! Copies a chain for a backup, also while records are added: up to one record, and the head that names it.

use super::{
    FOLDER,
    lines::{files, open},
    pointer::{self, Told},
};
use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

/// Copies the chain of a data folder into another one. What came after it began is left out.
///
/// # Errors
/// When it cannot be read or written.
pub fn copy(data: &Path, into: &Path) -> io::Result<()> {
    let (from, to) = (data.join(FOLDER), into.join(FOLDER));
    if !from.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(&to)?;
    let told = pointer::read(&from)?;
    for name in files(&from)? {
        let most = match &told {
            Told::Head(pointer) if name == pointer.file => pointer.bytes,
            Told::Head(pointer) if name > pointer.file => continue,
            // Without a head, all there is: it is for whoever looks into it.
            _ => u64::MAX,
        };
        io::copy(&mut open(&from.join(&name))?.take(most), &mut File::create(to.join(&name))?)?;
    }
    match told {
        Told::Head(pointer) => pointer::write(&mut File::create(to.join(pointer::FILE))?, &pointer),
        Told::Damaged => fs::copy(from.join(pointer::FILE), to.join(pointer::FILE)).map(|_| ()),
        Told::Nothing => Ok(()),
    }
}
