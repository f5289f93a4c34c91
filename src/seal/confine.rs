//! Confines a process that reads a stranger's model: the files of the model to read, the store to write, no
//! socket, no program.
//!
//! This is less than a seal: no namespaces, no allow-list, no proof. An import holds nobody's bundle and
//! is started by the person at the terminal; what is to be kept from a hostile model file is the rest of the
//! machine. What is not enforced stops the import.

use super::landlock_rules;
use super::namespaces::demand_one_thread;
use super::{filters, privileges};
use crate::error::{Error, Result};
use std::path::PathBuf;

/// Confines this process, which has one thread, to reading below `read` and writing below `write`.
///
/// # Errors
/// [`crate::error::ExitCode::Unsealed`] when the kernel does not enforce it.
pub fn confine(read: &[PathBuf], write: &[PathBuf]) -> Result<()> {
    demand_one_thread()?;
    confine_thread(read, write)
}

fn confine_thread(read: &[PathBuf], write: &[PathBuf]) -> Result<()> {
    let read = read.iter().map(|path| (path.clone(), false));
    let write = write.iter().map(|path| (path.clone(), true));
    let granted: Vec<(PathBuf, bool)> = read.chain(write).collect();
    let rules = landlock_rules::grant(&granted, landlock_rules::abi());
    rules
        .and_then(|rules| {
            privileges::no_new_privs()?;
            landlock_rules::enforce(rules)?;
            filters::import()?.apply()
        })
        .map_err(|missing| {
            Error::unsealed(format!(
                "failed to confine the import: {}: {}",
                missing.layer, missing.detail
            ))
            .hint(missing.advice)
        })
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        clippy::disallowed_types,
        reason = "a test tries what is denied"
    )]

    use super::*;
    use std::fs;
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::path::Path;
    use std::process::Command;

    /// What can be done from here: names of acts that succeed, and how the others end.
    fn acts(
        model: &Path,
        store: &Path,
        outside: &Path,
        port: u16,
    ) -> Vec<(&'static str, ErrorKind)> {
        let of = |result: std::io::Result<()>| {
            result.map_or_else(|error| error.kind(), |()| ErrorKind::Other)
        };
        let unit = |_: Vec<u8>| ();
        vec![
            ("read the model", of(fs::read(model.join("m")).map(unit))),
            ("write the store", of(fs::write(store.join("a"), b"x"))),
            (
                "rename in the store",
                of(fs::rename(store.join("a"), store.join("b"))),
            ),
            ("write the model", of(fs::write(model.join("n"), b"x"))),
            ("read outside", of(fs::read(outside.join("o")).map(unit))),
            ("write outside", of(fs::write(outside.join("p"), b"x"))),
            (
                "connect",
                of(TcpStream::connect(("127.0.0.1", port)).map(drop)),
            ),
            ("send", of(UdpSocket::bind("127.0.0.1:0").map(drop))),
            (
                "start a program",
                of(Command::new("/bin/true").status().map(drop)),
            ),
        ]
    }

    #[test]
    fn an_import_reads_its_model_writes_its_store_and_reaches_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let [model, store, outside] = ["model", "store", "outside"].map(|name| {
            let dir = place.path().join(name);
            fs::create_dir(&dir).unwrap();
            dir
        });
        fs::write(model.join("m"), b"weights").unwrap();
        fs::write(outside.join("o"), b"private").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // Everything is possible outside.
        for (act, end) in acts(&model, &store, &outside, port) {
            assert_eq!(end, ErrorKind::Other, "{act}");
        }
        // Landlock and seccomp bind the thread that asks for them.
        let confined = std::thread::spawn(move || {
            confine_thread(std::slice::from_ref(&model), std::slice::from_ref(&store)).unwrap();
            acts(&model, &store, &outside, port)
        });
        let expected = [ErrorKind::Other; 3]
            .into_iter()
            .chain([ErrorKind::PermissionDenied; 6]);
        for ((act, end), expected) in confined.join().unwrap().into_iter().zip(expected) {
            assert_eq!(end, expected, "{act}");
        }
    }

    #[test]
    fn what_is_not_there_can_not_be_granted() {
        let gone = PathBuf::from("/nonexistent/model");
        let error = std::thread::spawn(move || confine_thread(&[gone], &[]))
            .join()
            .unwrap();
        let error = error.unwrap_err();
        assert_eq!(error.exit, crate::error::ExitCode::Unsealed);
        assert!(error.message.contains("/nonexistent/model"), "{error}");
    }

    #[test]
    fn a_process_with_threads_is_not_confined_in_part() {
        // The test runner has several.
        assert!(confine(&[], &[]).is_err());
    }
}
