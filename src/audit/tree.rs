//! The Merkle tree over the lines of the log, and its proofs.

use super::note::Checkpoint;
use crate::error::{Error, Result};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The tree over the first lines of the log.
#[derive(Default)]
pub struct Tree(MemoryBackedTree<Sha256, Vec<u8>>);

impl Tree {
    /// The tree over `lines`.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut tree = Self::default();
        for line in lines {
            tree.push(line);
        }
        tree
    }
    /// Adds a leaf.
    pub fn push(&mut self, line: &str) {
        self.0.push(line.as_bytes().to_vec());
    }
    /// Number of leaves.
    pub fn len(&self) -> u64 {
        self.0.len()
    }
    /// The root; of the empty tree it is the hash of nothing (RFC 6962, 2.1).
    pub fn root(&self) -> [u8; 32] {
        if self.len() == 0 {
            return Sha256::digest([]).into();
        }
        (*self.0.root().as_bytes()).into()
    }
    /// The hashes that lead from leaf `index` to the root.
    ///
    /// # Errors
    /// A usage error when there is no such leaf.
    pub fn inclusion(&self, index: u64) -> Result<Vec<String>> {
        match usize::try_from(index) {
            Ok(at) if index < self.len() => Ok(hexed(self.0.prove_inclusion(at).as_bytes())),
            _ => Err(Error::usage(format!("the log has no entry {index}"))),
        }
    }
}

/// The right edge of a tree: the hashes of its complete subtrees, the largest first. It is all that
/// appending and the root need (RFC 6962, 2.1), so that a long log is not read for a new entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    peaks: Vec<[u8; 32]>,
}

impl Edge {
    /// The edge of the tree over `lines`.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut edge = Self::default();
        for line in lines {
            edge.push(line);
        }
        edge
    }
    /// An edge that was kept; `None` when no tree of that size has so many subtrees.
    pub fn kept(size: u64, peaks: Vec<[u8; 32]>) -> Option<Self> {
        (size.count_ones() as usize == peaks.len()).then_some(Self { size, peaks })
    }
    /// Adds a leaf.
    pub fn push(&mut self, line: &str) {
        let mut hash = leaf(line);
        let mut complete = self.size;
        while complete & 1 == 1
            && let Some(left) = self.peaks.pop()
        {
            hash = node(&left, &hash);
            complete >>= 1;
        }
        self.peaks.push(hash);
        self.size += 1;
    }
    /// Number of leaves.
    pub fn len(&self) -> u64 {
        self.size
    }
    /// The hashes of the complete subtrees, the largest first.
    pub fn peaks(&self) -> &[[u8; 32]] {
        &self.peaks
    }
    /// The root; of the empty tree it is the hash of nothing.
    pub fn root(&self) -> [u8; 32] {
        self.peaks
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node(&left, &right))
            .unwrap_or_else(|| Sha256::digest([]).into())
    }
}

/// The hash of a leaf (RFC 6962, 2.1).
pub fn leaf(line: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update([0])
        .chain_update(line)
        .finalize()
        .into()
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

fn hexed(bytes: &[u8]) -> Vec<String> {
    bytes.chunks(32).map(hex::encode).collect()
}

fn unhexed(hashes: &[String]) -> Result<Vec<u8>> {
    let mut all = Vec::with_capacity(hashes.len() * 32);
    for hash in hashes {
        let mut one = [0; 32];
        hex::decode_to_slice(hash, &mut one)
            .map_err(|_| Error::refused("a proof is damaged: a hash is not 64 hex digits"))?;
        all.extend(one);
    }
    Ok(all)
}

/// Whether `line` is leaf `index` of the tree that `checkpoint` speaks of.
///
/// # Errors
/// Refused input when the proof is damaged or leads elsewhere.
pub fn check_inclusion(
    line: &str,
    index: u64,
    hashes: &[String],
    checkpoint: &Checkpoint,
) -> Result<()> {
    let proof = InclusionProof::<Sha256>::try_from_bytes(unhexed(hashes)?)
        .map_err(|error| Error::refused(format!("the proof is damaged: {error}")))?;
    root(checkpoint)
        .verify_inclusion(&line.as_bytes().to_vec(), index, &proof)
        .map_err(|error| {
            Error::refused(format!(
                "the entry is not in the log of that checkpoint: {error}"
            ))
        })
}

fn root(checkpoint: &Checkpoint) -> RootHash<Sha256> {
    RootHash::new(checkpoint.root.into(), checkpoint.size)
}

/// A proof that the log only grew between two sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// Leaves of the older tree.
    pub old_size: u64,
    /// Its root, hex.
    pub old_root: String,
    /// Leaves of the newer tree.
    pub new_size: u64,
    /// Its root, hex.
    pub new_root: String,
    /// RFC 6962, 2.1.2, hex.
    pub hashes: Vec<String>,
}

/// The proof between the first `old` and the first `new` of `lines`.
///
/// # Errors
/// A usage error for sizes that the log never had.
pub fn consistency(lines: &[&str], old: u64, new: u64) -> Result<Consistency> {
    let size = lines.len() as u64;
    if old == 0 || old > new || new > size {
        return Err(Error::usage(format!(
            "there is no proof from {old} to {new}: the log has {size} entries"
        ))
        .hint("give two sizes from 1 on, the older first"));
    }
    let part = |n: u64| {
        lines
            .iter()
            .copied()
            .take(usize::try_from(n).unwrap_or(usize::MAX))
    };
    let (older, newer) = (Tree::of(part(old)), Tree::of(part(new)));
    let added = usize::try_from(new - old).unwrap_or(usize::MAX);
    Ok(Consistency {
        old_size: old,
        old_root: hex::encode(older.root()),
        new_size: new,
        new_root: hex::encode(newer.root()),
        hashes: hexed(newer.0.prove_consistency(added).as_bytes()),
    })
}

/// Checks a proof against the two checkpoints it connects.
///
/// # Errors
/// Refused input when they are not of one log that only grew.
pub fn check_consistency(proof: &Consistency, old: &Checkpoint, new: &Checkpoint) -> Result<()> {
    if old.origin != new.origin {
        return Err(Error::refused(
            "the two checkpoints are of different logs: their names differ",
        ));
    }
    let hashes = ConsistencyProof::<Sha256>::try_from_bytes(unhexed(&proof.hashes)?)
        .map_err(|error| Error::refused(format!("the proof is damaged: {error}")))?;
    root(new)
        .verify_consistency(&root(old), &hashes)
        .map_err(|error| {
            Error::refused(format!(
                "the log of {} entries does not continue the log of {} entries: {error}",
                new.size, old.size
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leaves and roots of the reference implementation's test data (certificate-transparency,
    /// RFC 6962), sizes 1 to 8.
    #[test]
    fn roots_are_those_of_the_published_test_data() {
        let leaves = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Tree::default();
        assert_eq!(
            hex::encode(tree.root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for (leaf, root) in leaves.iter().zip(roots) {
            tree.0.push(hex::decode(leaf).unwrap());
            assert_eq!(hex::encode(tree.root()), root);
        }
    }

    #[test]
    fn the_edge_has_the_root_of_the_whole_tree_at_every_size() {
        let (mut edge, mut tree) = (Edge::default(), Tree::default());
        assert_eq!(edge.root(), tree.root());
        for n in 0..300 {
            let line = format!("line {n}");
            edge.push(&line);
            tree.push(&line);
            assert_eq!((edge.len(), edge.root()), (tree.len(), tree.root()));
            let kept = Edge::kept(edge.len(), edge.peaks().to_vec());
            assert_eq!(kept.as_ref(), Some(&edge));
            assert_eq!(Edge::kept(edge.len() * 2 + 1, edge.peaks().to_vec()), None);
        }
    }

    #[test]
    fn proofs_hold_for_every_pair_of_sizes_and_for_no_other_root() {
        let lines: Vec<String> = (0..20).map(|n| format!("line {n}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let head = |n: usize, twist: u8| {
            let mut root = Tree::of(lines[..n].iter().copied()).root();
            root[0] ^= twist;
            Checkpoint {
                origin: "x".into(),
                size: n as u64,
                root,
            }
        };
        for new in 1..=lines.len() {
            for old in 1..=new {
                let proof = consistency(&lines, old as u64, new as u64).unwrap();
                check_consistency(&proof, &head(old, 0), &head(new, 0)).unwrap();
                assert!(check_consistency(&proof, &head(old, 1), &head(new, 0)).is_err());
                assert!(check_consistency(&proof, &head(old, 0), &head(new, 1)).is_err());
            }
            let tree = Tree::of(lines[..new].iter().copied());
            for (at, line) in lines[..new].iter().enumerate() {
                let hashes = tree.inclusion(at as u64).unwrap();
                check_inclusion(line, at as u64, &hashes, &head(new, 0)).unwrap();
                assert!(check_inclusion("other", at as u64, &hashes, &head(new, 0)).is_err());
                assert!(check_inclusion(line, at as u64, &hashes, &head(new, 1)).is_err());
            }
        }
        for (old, new) in [(0, 3), (3, 2), (1, 21)] {
            assert!(consistency(&lines, old, new).is_err());
        }
    }
}
