//! Builds the crate with its mutants and runs the tests that reach each of them.

use crate::{Mutant, switch};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Put into the crate under test.
const SWITCHED: &str = include_str!("switched.rs");
/// Tests that are run first where many reach a mutant: the quick ones mostly tell.
const FIRST: usize = 8;
/// Least time that a mutant gets.
const LEAST: Duration = Duration::from_secs(20);
/// A mutant gets this many times what its tests take without it.
const PATIENCE: u32 = 8;
/// Most times that mutants which do not compile are taken out.
const MAX_BUILDS: usize = 60;

/// Where the crate is and where it is written with its mutants.
pub struct Work {
    /// The crate.
    pub from: PathBuf,
    /// The folder for the other one.
    pub to: PathBuf,
}

/// How a mutant fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A test failed.
    Caught,
    /// The tests did not end.
    Endless,
    /// The tests that reach it passed.
    Missed,
    /// No test reaches it.
    Unreached,
}

/// A test, how long it takes and what it reaches.
struct Test {
    name: String,
    time: Duration,
    reached: HashSet<usize>,
}

/// Builds the tests with all mutants that compile, which stay in `mutants`; gives the tests' binary and how many went.
pub fn build(work: &Work, mutants: &mut Vec<Mutant>) -> Result<(PathBuf, usize), Box<dyn Error>> {
    let all = mutants.len();
    copy(&work.from, &work.to)?;
    fs::write(work.to.join("src/switched.rs"), SWITCHED)?;
    append(&work.to.join("src/lib.rs"), "pub mod switched;\n")?;
    append(
        &work.to.join("Cargo.toml"),
        "[profile.dev.package.mutants]\nopt-level = 1\n",
    )?;
    for _ in 0..MAX_BUILDS {
        let written = write(work, mutants)?;
        mutants.retain(|mutant| written.contains(&mutant.id));
        match compile(work, mutants)? {
            Ok(binary) => return Ok((binary, all - mutants.len())),
            Err(broken) => mutants.retain(|mutant| !broken.contains(&mutant.id)),
        }
        eprintln!("{} of {all} mutants compile so far", mutants.len());
    }
    Err("the crate does not compile with its mutants".into())
}

fn append(path: &Path, more: &str) -> Result<(), Box<dyn Error>> {
    let text = fs::read_to_string(path)?;
    Ok(fs::write(path, text + more)?)
}

fn copy(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true if entry.file_name() != "target" => copy(&entry.path(), &target)?,
            true => {}
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}

/// Writes the files with their mutants; the ids of those that could be written.
fn write(work: &Work, mutants: &[Mutant]) -> Result<HashSet<usize>, Box<dyn Error>> {
    let mut files: BTreeMap<&str, Vec<&Mutant>> = BTreeMap::new();
    for mutant in mutants {
        files.entry(&mutant.file).or_default().push(mutant);
    }
    let mut written = HashSet::new();
    for (file, mutants) in files {
        let text = fs::read_to_string(work.from.join(file))?;
        let (text, these) = switch::switched(&text, &mutants)?;
        fs::write(work.to.join(file), text)?;
        written.extend(these);
    }
    Ok(written)
}

/// The tests' binary, or the mutants that keep it from being made.
fn compile(
    work: &Work,
    mutants: &[Mutant],
) -> Result<Result<PathBuf, HashSet<usize>>, Box<dyn Error>> {
    let output = Command::new("cargo")
        .args(["test", "--no-run", "--lib", "--message-format=json"])
        .current_dir(&work.to)
        .env("RUSTFLAGS", "-Awarnings")
        .stderr(Stdio::piped())
        .output()?;
    let (mut binary, mut broken) = (None, HashSet::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else {
            continue;
        };
        if let Some(made) = line["executable"].as_str() {
            binary = Some(PathBuf::from(made));
        }
        let message = &line["message"];
        if message["level"] == "error" {
            let uncovered = message["code"]["code"] == "E0004";
            for span in message["spans"].as_array().into_iter().flatten() {
                broken.extend(blamed(work, mutants, span, uncovered)?);
            }
        }
    }
    match binary {
        Some(binary) if output.status.success() => Ok(Ok(binary)),
        _ if broken.is_empty() => Err(String::from_utf8_lossy(&output.stderr).into()),
        _ => Ok(Err(broken)),
    }
}

/// The mutants to be blamed for an error at a place: the last before its end; or where an arm with a guard leaves a value
/// uncovered, all arms of that function.
fn blamed(
    work: &Work,
    mutants: &[Mutant],
    span: &serde_json::Value,
    uncovered: bool,
) -> Result<Vec<usize>, Box<dyn Error>> {
    let file = span["file_name"].as_str().unwrap_or_default();
    let end = span["byte_end"].as_u64().unwrap_or(0) as usize;
    let text = fs::read(work.to.join(file))?;
    let (before, after) = text.split_at(end.min(text.len()));
    if !uncovered {
        return Ok(ids(&String::from_utf8_lossy(before))
            .last()
            .copied()
            .into_iter()
            .collect());
    }
    let next = ids(&String::from_utf8_lossy(after));
    let arm = mutants.iter().find(|mutant| {
        mutant.genre == "MatchArm" && next.contains(&mutant.id) && mutant.file == file
    });
    let same = |mutant: &&Mutant| {
        arm.is_some_and(|arm| {
            (arm.function, &arm.file, &arm.genre) == (mutant.function, &mutant.file, &mutant.genre)
        })
    };
    Ok(mutants
        .iter()
        .filter(same)
        .map(|mutant| mutant.id)
        .collect())
}

/// The mutants that a text asks for, in order.
fn ids(text: &str) -> Vec<usize> {
    let parts = text.split("crate::switched::on(").skip(1);
    parts
        .filter_map(|part| part.split(')').next()?.parse().ok())
        .collect()
}

/// Runs every mutant with the tests that reach it, as many at a time as there are processors.
pub fn run(
    work: &Work,
    binary: &Path,
    mutants: &[Mutant],
) -> Result<Vec<(Mutant, Outcome)>, Box<dyn Error>> {
    let list = Command::new(binary)
        .arg("--list")
        .current_dir(&work.to)
        .output()?;
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let names: Vec<&str> = list
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .collect();
    let tests = each(&names, |at, name| alone(work, binary, at, name));
    let tests: Vec<Test> = tests.into_iter().collect::<Result<_, String>>()?;
    let mut by_mutant: HashMap<usize, Vec<&Test>> = HashMap::new();
    for test in &tests {
        for id in &test.reached {
            by_mutant.entry(*id).or_default().push(test);
        }
    }
    for tests in by_mutant.values_mut() {
        tests.sort_by_key(|test| test.time);
    }
    eprintln!("{} tests reach {} mutants", tests.len(), by_mutant.len());
    let outcomes = each(mutants, |_, mutant| {
        let tests = by_mutant.get(&mutant.id).map_or(&[][..], Vec::as_slice);
        (mutant.clone(), fare(work, binary, mutant.id, tests))
    });
    Ok(outcomes)
}

/// Does the same for every item, in order of the items, on all processors.
fn each<T: Sync, R: Send>(items: &[T], act: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    let result = act(at, item);
                    done.lock()
                        .expect("no thread panics here")
                        .push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no thread panics here");
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// One test without any mutant: it has to pass.
fn alone(work: &Work, binary: &Path, at: usize, name: &str) -> Result<Test, String> {
    let reached = work.to.join(format!("reached-{at}"));
    let begun = Instant::now();
    let status = Command::new(binary)
        .args(["--exact", "--test-threads=1", name])
        .current_dir(&work.to)
        .env(
            "MUTANT_REACHED",
            std::path::absolute(&reached).map_err(|error| error.to_string())?,
        )
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !status.is_ok_and(|status| status.success()) {
        return Err(format!("{name} fails without any mutant"));
    }
    let ids = fs::read_to_string(&reached).unwrap_or_default();
    Ok(Test {
        name: name.to_owned(),
        time: begun.elapsed(),
        reached: ids.lines().filter_map(|id| id.parse().ok()).collect(),
    })
}

/// How a mutant fares with the tests that reach it, the quickest first.
fn fare(work: &Work, binary: &Path, id: usize, tests: &[&Test]) -> Outcome {
    if tests.is_empty() {
        return Outcome::Unreached;
    }
    let patience = LEAST + tests.iter().map(|test| test.time).sum::<Duration>() * PATIENCE;
    let (first, rest) = tests.split_at(FIRST.min(tests.len()));
    for tests in [first, rest] {
        if tests.is_empty() {
            continue;
        }
        let child = Command::new(binary)
            .args(["--exact", "--test-threads=1"])
            .args(tests.iter().map(|test| &test.name))
            .current_dir(&work.to)
            .env("MUTANT", id.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = child else {
            return Outcome::Missed;
        };
        let begun = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => break,
                Ok(Some(_)) => return Outcome::Caught,
                _ if begun.elapsed() > patience => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Outcome::Endless;
                }
                _ => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }
    Outcome::Missed
}
