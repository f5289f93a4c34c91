//! Lines as kinds: what repeats with other numbers and identifiers is one message.

use regex::Regex;
use std::sync::LazyLock;

/// A line without its numbers and identifiers, so that repetitions count together.
pub fn shape_of(line: &str) -> String {
    const SHOWN: usize = 300;
    let mut out = String::with_capacity(line.len().min(SHOWN));
    let mut word = String::new();
    let flush = |word: &mut String, out: &mut String| {
        // `24160f9c`, `M-5997142`, `e1_0`: what has a figure in it names one thing of many.
        if word.bytes().any(|byte| byte.is_ascii_digit()) {
            if !out.ends_with('#') {
                out.push('#');
            }
        } else {
            out.push_str(word);
        }
        word.clear();
    };
    for c in line.chars().take(SHOWN) {
        if c.is_alphanumeric() {
            word.push(c);
        } else {
            flush(&mut word, &mut out);
            out.push(c);
        }
    }
    flush(&mut word, &mut out);
    out
}

/// Traces, metrics and logs that cannot be sent: users do not notice.
pub fn is_side_channel(text: &str) -> bool {
    static SIDE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:export|send|push|flush|ship|report|deliver)\w*\b.{0,30}\b(?:traces?|spans?|metrics?|telemetry|logs? (?:batch|records?)|profiles?)\b|\b(?:opentelemetry|otlp|otel|zipkin|jaeger|statsd|pushgateway|sentry|datadog|newrelic|apm[- ](?:agent|server))\b").ok()
    });
    SIDE.as_ref().is_some_and(|regex| regex.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_share_a_shape() {
        assert_eq!(
            shape_of("2025-01-01 10:00:01 error 17"),
            shape_of("2024-12-31 23:59:59 error 4")
        );
        assert_ne!(shape_of("error 17"), shape_of("fault 17"));
    }
}
