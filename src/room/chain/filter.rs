//! Which files of the bundle a playbook lets the model see.

use crate::playbook::Inputs;

/// Which files the playbook lets the model see.
pub struct InputFilter {
    /// What is allowed and what is denied; `None` admits nothing.
    globs: Option<(Vec<regex::Regex>, Vec<regex::Regex>)>,
}

impl InputFilter {
    /// Compiles the globs. If one does not compile, no file is admitted.
    pub fn new(inputs: &Inputs) -> Self {
        let compile = |globs: &[String]| {
            globs
                .iter()
                .map(|glob| regex::Regex::new(&glob_pattern(glob)).ok())
                .collect::<Option<Vec<_>>>()
        };
        Self {
            globs: compile(&inputs.allow).zip(compile(&inputs.deny)),
        }
    }
    /// Whether lines of `path` (with or without its top folder) may be shown.
    pub fn admits(&self, path: &str) -> bool {
        let Some((allow, deny)) = &self.globs else {
            return false;
        };
        let short = path.split_once('/').map_or(path, |(_, rest)| rest);
        let any = |list: &[regex::Regex]| {
            list.iter()
                .any(|glob| glob.is_match(path) || glob.is_match(short))
        };
        (allow.is_empty() || any(allow)) && !any(deny)
    }
}

fn glob_pattern(glob: &str) -> String {
    let mut pattern = String::from("^");
    let mut rest = glob;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("**/") {
            pattern.push_str("(?:.*/)?");
            rest = after;
        } else if let Some(after) = rest.strip_prefix("**") {
            pattern.push_str(".*");
            rest = after;
        } else {
            match c {
                '*' => pattern.push_str("[^/]*"),
                '?' => pattern.push_str("[^/]"),
                c => pattern.push_str(&regex::escape(&c.to_string())),
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    pattern.push('$');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_filter_denies_before_it_allows() {
        let filter = InputFilter::new(&Inputs {
            allow: vec!["**".into()],
            deny: vec!["etc/shadow*".into(), "**/*.key".into()],
        });
        assert!(filter.admits("sosreport-x/var/log/syslog"));
        assert!(!filter.admits("sosreport-x/etc/shadow-"));
        assert!(!filter.admits("b/deep/down/server.key"));
        assert!(
            !InputFilter::new(&Inputs {
                allow: vec!["logs/*".into()],
                deny: vec![]
            })
            .admits("top/other/a.log")
        );
    }

    #[test]
    fn a_glob_that_does_not_compile_admits_nothing() {
        let endless = "*a".repeat(400_000);
        for (allow, deny) in [
            (vec![endless.clone()], vec![]),
            (vec![], vec![endless.clone()]),
        ] {
            let filter = InputFilter::new(&Inputs { allow, deny });
            assert!(!filter.admits("top/other/a.log"));
        }
    }
}
