//! Asking: a command with a time limit whose output is bounded, or a file of this host.

use super::{Ask, WhenLong};
use std::collections::VecDeque;
use std::io::Read;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// Most bytes of a message about a failure.
const MAX_WORDS: usize = 2_000;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The text.
    pub bytes: Vec<u8>,
    /// Bytes that did not fit and were left out.
    pub lost: u64,
    /// What was complained about beside the answer.
    pub complaint: Option<String>,
}

/// Asks, for at most `limit`, and keeps at most `max_bytes`.
///
/// # Errors
/// Why there is no answer, in words that may hold text of the system: mask them.
pub async fn ask(
    ask: &Ask,
    when_long: WhenLong,
    max_bytes: usize,
    limit: Duration,
) -> Result<Answer, String> {
    match ask {
        Ask::File(path) => file(path, when_long, max_bytes),
        Ask::Command(words) => command(words, when_long, max_bytes, limit).await,
    }
}

async fn command(
    words: &[String],
    when_long: WhenLong,
    max_bytes: usize,
    limit: Duration,
) -> Result<Answer, String> {
    let (program, arguments) = words.split_first().ok_or("there is no command")?;
    let mut child = Command::new(program)
        .args(arguments)
        // One language and one time format, so that what reads the answer knows both.
        .env("LC_ALL", "C")
        .env("SYSTEMD_PAGER", "")
        .env("SYSTEMD_COLORS", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => format!("{program} is not installed"),
            _ => format!("failed to start {program}: {error}"),
        })?;
    let (Some(mut out), Some(mut err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err("it has no output".into());
    };
    let work = async {
        let mut kept = Kept::new(when_long, max_bytes);
        let mut words = Kept::new(WhenLong::KeepBeginning, MAX_WORDS);
        let (read, said) = tokio::join!(drain(&mut out, &mut kept), drain(&mut err, &mut words));
        let status = child.wait().await;
        (kept, words, read.and(said).and(status))
    };
    let Ok((kept, words, status)) = tokio::time::timeout(limit, work).await else {
        return Err(format!("no answer within {} s", limit.as_secs()));
    };
    let status = status.map_err(|error| format!("failed to read the answer: {error}"))?;
    if status.success() {
        return kept.answer();
    }
    let said = String::from_utf8_lossy(&words.into_bytes())
        .trim()
        .to_owned();
    let why = match said.is_empty() {
        true => format!("it ended with {status}"),
        false => said,
    };
    // Many tools complain about a part and print the rest; half of a JSON document is nothing.
    if kept.seen > 0 && when_long != WhenLong::Drop {
        let mut answer = kept.answer()?;
        answer.complaint = Some(why);
        return Ok(answer);
    }
    Err(why)
}

async fn drain(from: &mut (impl AsyncRead + Unpin), to: &mut Kept) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer).await? {
            0 => return Ok(()),
            read => to.push(&buffer[..read]),
        }
    }
}

fn file(path: &str, when_long: WhenLong, max_bytes: usize) -> Result<Answer, String> {
    let fail = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "it is not there".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "the files of the collecting host are named here"
    )]
    let mut file = std::fs::File::open(path).map_err(fail)?;
    if !file.metadata().map_err(fail)?.is_file() {
        return Err("it is not a regular file".into());
    }
    let mut kept = Kept::new(when_long, max_bytes);
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer).map_err(fail)? {
            0 => return kept.answer(),
            read => kept.push(&buffer[..read]),
        }
    }
}

/// The part of a stream that is kept.
struct Kept {
    when_long: WhenLong,
    max_bytes: usize,
    bytes: VecDeque<u8>,
    seen: u64,
}

impl Kept {
    fn new(when_long: WhenLong, max_bytes: usize) -> Self {
        Self {
            when_long,
            max_bytes,
            bytes: VecDeque::new(),
            seen: 0,
        }
    }

    fn push(&mut self, part: &[u8]) {
        self.seen += part.len() as u64;
        match self.when_long {
            WhenLong::KeepEnd => {
                self.bytes.extend(part);
                let over = self.bytes.len().saturating_sub(self.max_bytes);
                self.bytes.drain(..over);
            }
            WhenLong::KeepBeginning | WhenLong::Drop => {
                let room = self.max_bytes.saturating_sub(self.bytes.len());
                self.bytes.extend(&part[..part.len().min(room)]);
            }
        }
    }

    fn into_bytes(self) -> Vec<u8> {
        self.bytes.into()
    }

    fn answer(self) -> Result<Answer, String> {
        let lost = self.seen - self.bytes.len() as u64;
        if lost > 0 && self.when_long == WhenLong::Drop {
            return Err(format!(
                "the answer has {} bytes, more than the limit of {}",
                self.seen, self.max_bytes
            ));
        }
        let when_long = self.when_long;
        let mut bytes = self.into_bytes();
        // Only whole lines, and whole characters with them.
        if lost > 0 && when_long == WhenLong::KeepEnd {
            let first = bytes
                .iter()
                .position(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1);
            bytes.drain(..first);
        } else if lost > 0 {
            let end = bytes
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(bytes.len(), |at| at + 1);
            bytes.truncate(end);
        }
        Ok(Answer {
            bytes,
            lost,
            complaint: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(words: &[&str], when_long: WhenLong, max: usize, millis: u64) -> Result<Answer, String> {
        let ask_it = Ask::Command(words.iter().map(|word| (*word).to_owned()).collect());
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(ask(&ask_it, when_long, max, Duration::from_millis(millis)))
    }

    #[test]
    fn long_answers_lose_what_was_said_and_slow_ones_are_ended() {
        let lines = ["printf", "one\\ntwo\\nthree\\n"];
        let all = run(&lines, WhenLong::Drop, 100, 5_000).unwrap();
        assert_eq!(
            (all.bytes.as_slice(), all.lost),
            (&b"one\ntwo\nthree\n"[..], 0)
        );
        assert_eq!(
            run(&lines, WhenLong::KeepEnd, 8, 5_000).unwrap().bytes,
            b"three\n"
        );
        assert_eq!(
            run(&lines, WhenLong::KeepBeginning, 9, 5_000)
                .unwrap()
                .bytes,
            b"one\ntwo\n"
        );
        assert!(
            run(&lines, WhenLong::Drop, 8, 5_000)
                .unwrap_err()
                .contains("14 bytes")
        );
        assert!(
            run(&["sleep", "20"], WhenLong::Drop, 8, 200)
                .unwrap_err()
                .contains("no answer")
        );
        assert!(
            run(&["narrowroom-no-such-program"], WhenLong::Drop, 8, 200)
                .unwrap_err()
                .contains("not installed")
        );
        let partly = run(
            &["ls", "-d", "/", "/narrowroom-nothing"],
            WhenLong::KeepEnd,
            99,
            5_000,
        );
        let partly = partly.unwrap();
        assert_eq!(partly.bytes, b"/\n");
        assert!(partly.complaint.unwrap().contains("No such file"));
        assert!(
            run(&["ls", "/narrowroom-nothing"], WhenLong::Drop, 8, 5_000)
                .unwrap_err()
                .contains("No such file")
        );
    }
}
