#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

use super::*;

struct Runs {
    dir: tempfile::TempDir,
    /// The key, as a file: each pending run owns one.
    key: PathBuf,
}

impl Runs {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("key.pem");
        Key::load_or_create(Some(&key)).unwrap();
        Self { dir, key }
    }
    fn path(&self) -> PathBuf {
        self.dir.path().join("runs")
    }
    fn begin(&self, run: &str) -> Result<Pending> {
        let key = Key::load(&self.key)?;
        Pending::begin(&self.path(), key, run, None, &"0".repeat(64))
    }
    /// A run that is killed: its lock goes with its process, its files stay.
    fn killed(&self, run: &str) {
        drop(self.begin(run).unwrap());
    }
    fn at(&self, name: &str) -> PathBuf {
        folder(&self.path()).join(FOLDER).join(name)
    }
    fn names(&self) -> Vec<String> {
        files::names(&folder(&self.path()).join(FOLDER)).unwrap()
    }
    fn log(&self) -> Vec<(String, State)> {
        let log = Log::read(&folder(&self.path())).unwrap().unwrap();
        let entries = log.entries().unwrap();
        entries.into_iter().map(|e| (e.run, e.state)).collect()
    }
}

#[test]
fn whose_a_file_is() {
    for (name, run) in [
        ("abc.json", Some("abc")),
        (".abc.lock", Some("abc")),
        (".abc.json.4711.partial", Some("abc")),
        (".abc.json", None),
        ("abc.lock", None),
        (".abc.txt.4711.partial", None),
        ("abc.json.4711.partial", None),
        (".lock", None),
        ("", None),
    ] {
        assert_eq!(run_of(name), run, "{name}");
    }
}

#[test]
fn a_killed_run_is_logged_once_as_aborted() {
    let runs = Runs::new();
    runs.killed("aaaa");
    let mut next = runs.begin("bbbb").unwrap();
    assert_eq!(runs.log(), [("aaaa".into(), State::Aborted)]);
    next.failed(&Error::limit("x")).unwrap();
    runs.killed("cccc");
    drop(runs.begin("dddd").unwrap());
    let log = runs.log();
    assert_eq!(log.len(), 3, "{log:?}");
    assert_eq!(runs.names(), [".dddd.lock", "dddd.json"]);
}

/// Killed while it wrote its file for the first time, while it wrote it again, and between: each half is
/// swept, and a whole file beside it counts.
#[test]
fn the_half_of_a_file_is_swept_with_the_run_that_was_writing_it() {
    let runs = Runs::new();
    drop(runs.begin("aaaa").unwrap());
    std::fs::write(runs.at(".first.json.77.partial"), "{").unwrap();
    std::fs::write(runs.at(".first.lock"), "").unwrap();
    std::fs::write(runs.at(".nolock.json.78.partial"), "").unwrap();
    std::fs::write(runs.at(".aaaa.json.79.partial"), "{\"entry\"").unwrap();
    std::fs::write(runs.at(".aaaa.json.80.partial"), "").unwrap();
    drop(runs.begin("bbbb").unwrap());
    assert_eq!(runs.names(), [".bbbb.lock", "bbbb.json"]);
    assert_eq!(runs.log(), [("aaaa".into(), State::Aborted)]);
}

#[test]
fn nothing_of_a_run_that_lives_is_touched() {
    let runs = Runs::new();
    let mut lives = runs.begin("aaaa").unwrap();
    std::fs::write(runs.at(".aaaa.json.77.partial"), "{").unwrap();
    drop(runs.begin("bbbb").unwrap());
    assert!(runs.at("aaaa.json").exists() && runs.at(".aaaa.json.77.partial").exists());
    lives.reached("room", None).unwrap();
    lives.failed(&Error::refused("x")).unwrap();
    assert_eq!(runs.log(), [("aaaa".into(), State::Failed)]);
}

#[test]
fn a_pending_file_that_was_altered_stops_the_next_run_and_is_kept() {
    let runs = Runs::new();
    runs.killed("aaaa");
    let path = runs.at("aaaa.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    for bad in [whole.replace("aborted", "finished"), whole[..9].to_owned()] {
        std::fs::write(&path, &bad).unwrap();
        let Err(error) = runs.begin("bbbb") else {
            panic!("an altered file was taken");
        };
        assert_eq!(error.exit, ExitCode::InputRefused);
        assert!(error.message.contains("aaaa.json"), "{}", error.message);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), bad);
    }
    std::fs::write(&path, whole).unwrap();
    drop(runs.begin("bbbb").unwrap());
}
