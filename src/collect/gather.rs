//! Asking everything, a few questions at a time, within the limits; the answers stay in memory.

use super::kubernetes::{Cluster, cluster_questions, log_questions, parse_containers};
use super::run::{Answer, ask};
use super::{Question, host_questions};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Questions that are under way at the same time: enough to hide latency, too few to be felt.
const AT_ONCE: usize = 4;

/// What a collection may cost.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Bytes of all answers; they are held in memory.
    pub max_bytes: u64,
    /// Bytes of one answer.
    pub max_file_bytes: u64,
    /// Seconds for everything.
    pub max_seconds: u64,
    /// Seconds for one question.
    pub question_seconds: u64,
}

/// What could not be collected, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Refused {
    /// What was asked.
    pub what: String,
    /// Where the answer would have been.
    pub path: String,
    /// Why there is none.
    pub why: String,
}

/// Everything that came back, unmasked, and what did not.
#[derive(Debug, Default)]
pub struct Gathered {
    /// What was asked, as a person would type it.
    pub asked: Vec<String>,
    /// Path and bytes of each answer.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What could not be collected.
    pub refused: Vec<Refused>,
    /// Path and bytes that were left out of an answer.
    pub shortened: BTreeMap<String, u64>,
}

/// What the person sees meanwhile.
pub trait Watch {
    /// `done` of `all` questions are answered.
    fn asked(&mut self, done: usize, all: usize);
}

/// Where a bundle comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Namespaces of a cluster.
    Cluster(Cluster),
    /// This host.
    Host,
}

/// Asks everything about `source`.
///
/// # Errors
/// When nothing at all could be collected, with the first reason.
pub async fn gather(source: &Source, limits: &Limits, watch: &mut dyn Watch) -> Result<Gathered> {
    let mut session = Session {
        limits,
        ends: Instant::now() + Duration::from_secs(limits.max_seconds),
        bytes: 0,
        answers: 0,
        gathered: Gathered::default(),
    };
    match source {
        Source::Host => session.all(&host_questions(), watch).await,
        Source::Cluster(cluster) => {
            session.all(&cluster_questions(cluster), watch).await;
            let mut logs = Vec::new();
            for namespace in &cluster.namespaces {
                let path = format!("cluster-resources/pods/{namespace}.json");
                let pods = session
                    .gathered
                    .files
                    .get(&path)
                    .map(|bytes| String::from_utf8_lossy(bytes));
                let mut containers = pods.map_or_else(Vec::new, |pods| parse_containers(&pods));
                // What restarted matters most, should a limit be reached.
                containers.sort_by_key(|container| !container.restarted);
                logs.extend(log_questions(cluster, namespace, Some(&containers)));
            }
            session.all(&logs, watch).await;
            session.gathered.refused.push(Refused {
                what: "secrets".into(),
                path: String::new(),
                why: "never asked for, by design".into(),
            });
        }
    }
    let gathered = session.gathered;
    if session.answers == 0 {
        let why = gathered
            .refused
            .first()
            .map_or("", |refused| refused.why.as_str());
        // The words come from the customer's system and have not been masked.
        let why = crate::secrets::Masker::new().mask(why);
        return Err(Error::refused(format!(
            "nothing could be collected: {}",
            crate::report::escape::terminal(&why)
        ))
        .hint("try the first command of --dry-run by hand"));
    }
    Ok(gathered)
}

struct Session<'a> {
    limits: &'a Limits,
    ends: Instant,
    bytes: u64,
    /// Answers that were kept; files that say why there is none are not counted.
    answers: usize,
    gathered: Gathered,
}

impl Session<'_> {
    async fn all(&mut self, questions: &[Question], watch: &mut dyn Watch) {
        let mut tasks: JoinSet<(usize, Result<Answer, String>)> = JoinSet::new();
        let mut answers: BTreeMap<usize, Result<Answer, String>> = BTreeMap::new();
        let mut next = 0;
        while next < questions.len() || !tasks.is_empty() {
            while next < questions.len() && tasks.len() < AT_ONCE {
                match self.allowed() {
                    Ok((max_bytes, limit)) => {
                        let Question {
                            ask: how,
                            when_long,
                            ..
                        } = questions[next].clone();
                        tasks.spawn(
                            async move { (next, ask(&how, when_long, max_bytes, limit).await) },
                        );
                    }
                    Err(why) => {
                        answers.insert(next, Err(why));
                    }
                }
                next += 1;
            }
            if let Some(Ok((at, answer))) = tasks.join_next().await {
                self.bytes += answer
                    .as_ref()
                    .map_or(0, |answer| answer.bytes.len() as u64);
                answers.insert(at, answer);
            }
            watch.asked(answers.len(), questions.len());
        }
        for (at, question) in questions.iter().enumerate() {
            let answer = answers
                .remove(&at)
                .unwrap_or_else(|| Err("the question was lost".into()));
            self.keep(question, answer);
        }
    }

    /// Bytes and time that the next question may take.
    fn allowed(&self) -> Result<(usize, Duration), String> {
        let left = self.ends.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(format!(
                "not asked: the limit of {} s was reached",
                self.limits.max_seconds
            ));
        }
        let room = self.limits.max_bytes.saturating_sub(self.bytes);
        if room == 0 {
            return Err(format!(
                "not asked: the limit of {} bytes was reached",
                self.limits.max_bytes
            ));
        }
        let bytes = usize::try_from(room.min(self.limits.max_file_bytes)).unwrap_or(usize::MAX);
        Ok((
            bytes,
            left.min(Duration::from_secs(self.limits.question_seconds)),
        ))
    }

    fn keep(&mut self, question: &Question, answer: Result<Answer, String>) {
        self.gathered.asked.push(question.shown());
        let path = question.path.clone();
        match answer {
            Ok(answer) => {
                if answer.lost > 0 {
                    self.gathered.shortened.insert(path.clone(), answer.lost);
                }
                if let Some(why) = answer.complaint {
                    self.gathered.refused.push(Refused {
                        what: question.shown(),
                        path: path.clone(),
                        why: format!("not whole: {why}"),
                    });
                }
                self.gathered.files.insert(path, answer.bytes);
                self.answers += 1;
            }
            Err(why) => {
                if let Some((path, words)) = error_files(&path, &why) {
                    self.gathered
                        .files
                        .entry(path)
                        .or_default()
                        .extend(words.into_bytes());
                }
                self.gathered.refused.push(Refused {
                    what: question.shown(),
                    path,
                    why,
                });
            }
        }
    }
}

/// The files in which Troubleshoot's layout says that something could not be collected.
fn error_files(path: &str, why: &str) -> Option<(String, String)> {
    if let Some(log) = path
        .strip_suffix(".log")
        .filter(|path| path.contains("/pods/logs/"))
    {
        return Some((format!("{log}-logs-errors.log"), format!("{why}\n")));
    }
    let rest = path.strip_prefix("cluster-resources/")?;
    let (folder, name) = rest
        .strip_suffix(".json")?
        .rsplit_once('/')
        .unwrap_or(("", rest));
    let file = match folder {
        "" => format!(
            "cluster-resources/{}-errors.json",
            name.trim_end_matches(".json")
        ),
        folder => format!("cluster-resources/{folder}/{name}-errors.json"),
    };
    let words = serde_json::to_string_pretty(&[why]).unwrap_or_default();
    Some((file, format!("{words}\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::{Ask, WhenLong};

    struct Nobody;
    impl Watch for Nobody {
        fn asked(&mut self, _: usize, _: usize) {}
    }

    fn gathered(commands: &[(&str, &str)], limits: &Limits) -> Gathered {
        let questions: Vec<_> = commands
            .iter()
            .map(|(command, path)| Question {
                ask: Ask::Command(command.split(' ').map(str::to_owned).collect()),
                path: (*path).to_owned(),
                when_long: WhenLong::KeepEnd,
            })
            .collect();
        let mut session = Session {
            limits,
            ends: Instant::now() + Duration::from_secs(limits.max_seconds),
            bytes: 0,
            answers: 0,
            gathered: Gathered::default(),
        };
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(session.all(&questions, &mut Nobody));
        session.gathered
    }

    const LIMITS: Limits = Limits {
        max_bytes: 100,
        max_file_bytes: 50,
        max_seconds: 20,
        question_seconds: 5,
    };

    #[test]
    fn what_fails_is_said_where_the_answer_would_have_been() {
        let found = gathered(
            &[
                ("printf hello", "cluster-resources/pods/shop.json"),
                ("ls /narrowroom-none", "cluster-resources/events/shop.json"),
                ("ls /narrowroom-none", "cluster-resources/nodes.json"),
                (
                    "ls /narrowroom-none",
                    "cluster-resources/pods/logs/shop/cart/web.log",
                ),
            ],
            &LIMITS,
        );
        let names: Vec<_> = found.files.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "cluster-resources/events/shop-errors.json",
                "cluster-resources/nodes-errors.json",
                "cluster-resources/pods/logs/shop/cart/web-logs-errors.log",
                "cluster-resources/pods/shop.json",
            ]
        );
        assert_eq!(found.refused.len(), 3);
        assert_eq!(found.asked.len(), 4);
    }

    #[test]
    fn limits_of_size_and_time_stop_further_questions_and_say_so() {
        let many: Vec<_> = (0..12).map(|n| format!("f{n}")).collect();
        let many: Vec<_> = many
            .iter()
            .map(|path| {
                (
                    "printf 0123456789012345678901234567890123456789",
                    path.as_str(),
                )
            })
            .collect();
        let found = gathered(&many, &LIMITS);
        let bytes: usize = found.files.values().map(Vec::len).sum();
        assert!(bytes <= 100 + 3 * 50, "{bytes}");
        assert!(
            found
                .refused
                .iter()
                .any(|refused| refused.why.contains("100 bytes"))
        );
        let none = gathered(
            &many,
            &Limits {
                max_seconds: 0,
                ..LIMITS
            },
        );
        assert!(none.files.is_empty());
        assert!(
            none.refused
                .iter()
                .all(|refused| refused.why.contains("limit of 0 s"))
        );
    }
}
