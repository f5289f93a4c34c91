//! Small bundles for the tests of what reads them.

use super::Tree;
use tempfile::TempDir;

/// A bundle made of `(path, content)` files. The folder lives as long as what comes with it.
pub fn tree_of<P: AsRef<str>, C: AsRef<[u8]>>(
    files: impl IntoIterator<Item = (P, C)>,
) -> (TempDir, Tree) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = cap_std::fs::Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority())
        .expect("the folder opens");
    for (path, content) in files {
        let path = path.as_ref();
        if let Some((parent, _)) = path.rsplit_once('/') {
            dir.create_dir_all(parent).expect("its folders");
        }
        dir.write(path, content).expect("the file");
    }
    let index = Tree::index_dir(&dir).expect("an index");
    (folder, Tree::new(dir, index))
}
