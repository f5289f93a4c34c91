//! What an error in a log raised: the exception that the lines below it name, and where in the
//! application's own code. One stack trace is one fault, however many lines it has.

use super::emit::Ctx;
use super::lastwords;
use super::model::Src;
use crate::bundle::Entry;
use regex::Regex;
use std::sync::LazyLock;

/// Lines below an error that may belong to it.
const BELOW: usize = 90;

/// The head of a stack trace, in Java, .NET, Python, JavaScript and Ruby.
static RAISED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^\s*(?:Caused by: |---> |Exception in thread \S+ |Uncaught |Unhandled exception\.? ?)?(?P<what>(?:[A-Za-z_$][\w$]*(?:\.|::))*[A-Za-z]\w*(?:Exception|Error|Panic|Fault|Interrupt|Timeout)\b(?: \[\w+\])?(?::.*)?)$").ok()
});
/// A frame: what was called, and where.
static FRAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^\s*(?:at (?:async )?(?P<js>[\w.$<>\[\] ]+?) \((?P<jsfile>[^)]+:\d+:\d+)\)|at (?:async )?(?P<bare>/\S+:\d+:\d+)|at (?P<call>[\w.$<>`+/@-]+?(?:\s+[\w.$<>`+/@-]+)?)\s*\([^)]*\)|File "(?P<py>[^"]+)", line (?P<pyline>\d+), in (?P<pycall>\S+))"#).ok()
});

/// Names and paths of code that is not the application's.
const LIBRARIES: [&str; 44] = [
    "java.",
    "javax.",
    "jakarta.",
    "jdk.",
    "sun.",
    "com.sun.",
    "kotlin.",
    "kotlinx.",
    "scala.",
    "akka.",
    "org.springframework",
    "org.apache",
    "org.hibernate",
    "org.eclipse",
    "org.postgresql",
    "org.jboss",
    "io.netty",
    "io.micrometer",
    "io.grpc",
    "io.vertx",
    "io.quarkus",
    "io.opentelemetry",
    "reactor.",
    "com.fasterxml",
    "com.zaxxer",
    "com.mysql",
    "com.google.common",
    "feign.",
    "okhttp3",
    "System.",
    "Microsoft.",
    "Npgsql.",
    "Grpc.",
    "Polly.",
    "site-packages",
    "dist-packages",
    "lib/python",
    "<frozen",
    "node_modules",
    "node:",
    "internal/",
    "/usr/local/go",
    "/pkg/mod/",
    "runtime.",
];

/// What was raised.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    /// Type and message.
    pub what: String,
    /// Its line.
    pub src: Src,
    /// The first frame of the application's own code, and its line.
    pub frame: Option<(String, Src)>,
}

/// Whether a line is the head of a stack trace.
pub fn is_head(line: &str) -> bool {
    RAISED.as_ref().is_some_and(|regex| regex.is_match(line))
}

/// Whether a line goes on with the record before it: part of a stack trace or of an indented text.
pub fn continues(line: &str) -> bool {
    line.starts_with([' ', '\t'])
        || [
            "Caused by:",
            "Traceback (most recent",
            "During handling of the above",
            "The above exception was",
            "Suppressed:",
            "--- End of",
        ]
        .iter()
        .any(|lead| line.starts_with(lead))
        || is_head(line)
}

/// What the lines from `from` on raise; `None` when they name no exception.
pub fn below(ctx: &Ctx, entry: &Entry, from: Src) -> Option<Raised> {
    let mut lines: Vec<(u32, String)> = Vec::new();
    let _ = ctx.tree.for_each_line(entry, |number, line| {
        let at = u32::try_from(number).unwrap_or(u32::MAX);
        if at < from.line {
            return true;
        }
        let text = lastwords::uncoloured(line);
        if at > from.line && !text.trim().is_empty() && !continues(&text) {
            return false;
        }
        lines.push((at, text));
        lines.len() < BELOW
    });
    of_record(&lines, from)
}

/// What one record raises.
fn of_record(lines: &[(u32, String)], from: Src) -> Option<Raised> {
    let heads: Vec<(usize, String)> = lines
        .iter()
        .enumerate()
        .filter_map(|(at, (_, line))| {
            let found = RAISED.as_ref()?.captures(line)?;
            Some((at, found["what"].trim().to_owned()))
        })
        .collect();
    let python = lines
        .iter()
        .any(|(_, line)| line.contains("Traceback (most recent"));
    // Python tells the first exception of a chain first, the others tell the innermost last.
    let (at, what) = if python { heads.first() } else { heads.last() }?.clone();
    let src = |line: u32| Src { line, ..from };
    let frames = |range: &[(u32, String)], newest_last: bool| {
        let mut own = range
            .iter()
            .filter_map(|(number, line)| Some((frame(line)?, src(*number))));
        if newest_last {
            own.next_back()
        } else {
            own.next()
        }
    };
    let frame = if python {
        frames(&lines[..at], true)
    } else {
        // .NET puts the frames of an inner exception below all heads, Java below each.
        frames(&lines[at + 1..], false).or_else(|| frames(lines, false))
    };
    Some(Raised {
        what,
        src: src(lines[at].0),
        frame,
    })
}

/// The call of a frame of the application's own code.
pub fn frame(line: &str) -> Option<String> {
    let found = FRAME.as_ref()?.captures(line)?;
    if LIBRARIES.iter().any(|library| {
        line.contains(library)
            && (library.contains(['/', '-', '_', ':', '<'])
                || line
                    .trim_start()
                    .trim_start_matches("at ")
                    .starts_with(library))
    }) {
        return None;
    }
    let text = |name: &str| found.name(name).map(|part| part.as_str());
    let base = |path: &str| {
        let mut parts: Vec<&str> = path.rsplit('/').take(2).collect();
        parts.reverse();
        parts.join("/")
    };
    if let (Some(file), Some(number), Some(call)) = (text("py"), text("pyline"), text("pycall")) {
        return Some(format!("{call}, {} line {number}", base(file)));
    }
    if let (Some(call), Some(file)) = (text("js"), text("jsfile")) {
        return Some(format!("{call}, {}", base(file)));
    }
    if let Some(bare) = text("bare") {
        return Some(base(bare));
    }
    text("call").map(|call| {
        let call = call.split_whitespace().last().unwrap_or(call);
        call.rsplit('/').next().unwrap_or(call).to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<(String, Option<String>)> {
        let lines: Vec<(u32, String)> = text
            .lines()
            .enumerate()
            .map(|(at, line)| (at as u32 + 1, line.to_owned()))
            .collect();
        let raised = of_record(&lines, Src::default())?;
        Some((raised.what, raised.frame.map(|(call, _)| call)))
    }

    #[test]
    fn the_innermost_error_and_the_applications_own_frame_are_told() {
        let java = "ERROR boot\njava.lang.IllegalStateException: cannot open\n\tat org.springframework.web.A.b(A.java:1)\nCaused by: java.io.IOException: disk is gone\n\tat java.base/java.io.F.open(F.java:9)\n\tat com.example.ledger.Store.open(Store.java:44)";
        assert_eq!(
            of(java),
            Some((
                "java.io.IOException: disk is gone".into(),
                Some("com.example.ledger.Store.open".into())
            ))
        );
        let python = "ERROR failed\nTraceback (most recent call last):\n  File \"/usr/lib/python3.11/site-packages/x/y.py\", line 3, in run\n    f()\n  File \"/app/rates/table.py\", line 12, in lookup\n    return t[k]\nIndexError: list index out of range";
        assert_eq!(
            of(python),
            Some((
                "IndexError: list index out of range".into(),
                Some("lookup, rates/table.py line 12".into())
            ))
        );
        let net = "      Unhandled exception\n      System.FormatException: bad number\n         at System.Number.Parse(String s)\n         at Shop.Prices.Reader.Read(String line) in /src/Prices/Reader.cs:line 8";
        assert_eq!(
            of(net),
            Some((
                "System.FormatException: bad number".into(),
                Some("Shop.Prices.Reader.Read".into())
            ))
        );
        let node = "TypeError: Cannot read properties of undefined (reading 'id')\n    at Layer.handle (/app/node_modules/express/lib/router/layer.js:95:5)\n    at render (/app/src/pages/cart.js:20:7)";
        assert_eq!(
            of(node).unwrap().1.as_deref(),
            Some("render, pages/cart.js:20:7")
        );
        assert_eq!(of("INFO fine\n  more"), None);
    }
}
