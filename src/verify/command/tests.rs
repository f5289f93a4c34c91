//! The corpus, wrappers, hostile input.

use super::*;
use crate::report::CommandClass::{self, ChangesState, Destructive, ReadOnly, Unknown};
use proptest::prelude::*;

fn parse_class(name: &str) -> CommandClass {
    match name {
        "read-only" => ReadOnly,
        "changes-state" => ChangesState,
        "destructive" => Destructive,
        "unknown" => Unknown,
        other => panic!("no class {other:?}"),
    }
}

/// Judges every line of a corpus; gives how many there were.
fn keep(corpus: &str) -> usize {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for line in corpus.lines().filter(|line| !line.starts_with("# class")) {
        let (class, command) = line.split_once('\t').unwrap_or((line, ""));
        let command = command.replace("\\n", "\n");
        count += 1;
        let judged = classify(&command);
        if judged.class != parse_class(class) {
            wrong.push(format!(
                "{command:?} is {:?}, not {class}: {:?}",
                judged.class, judged.reasons
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}: {wrong:#?}", wrong.len());
    count
}

#[test]
fn ordinary_commands_are_classified_as_they_say() {
    let count = keep(include_str!("corpus.tsv"));
    assert!(count >= 1_000, "{count}");
}

#[test]
fn adversarial_commands_are_classified_as_they_say() {
    let count = keep(include_str!("adversarial.tsv"));
    assert!(count >= 600, "{count}");
}

#[test]
fn what_is_not_read_only_says_why() {
    for command in ["rm x", "frob", "mkdir x", "# nothing but a comment"] {
        assert!(!classify(command).reasons.is_empty(), "{command}");
    }
}

#[test]
fn hostile_nesting_and_length_end_soon() {
    let start = std::time::Instant::now();
    for command in [
        format!("{}rm x{}", "$(".repeat(400), ")".repeat(400)),
        format!("{}rm x{}", "(".repeat(400), ")".repeat(400)),
        format!("{}ls", "sudo ".repeat(2_000)),
        format!("{}ls", "sh -c '".repeat(200)),
        "a=b; ".repeat(3_000),
        format!("ls {}", "$x".repeat(5_000)),
        format!("ls {}", "{a,b}".repeat(2_000)),
        "x=$x$x; ".repeat(1_500),
        format!("a={}; {}", "y".repeat(1_000), "a=$a$a; ".repeat(60)),
        "`".repeat(3_000),
        "\"".repeat(3_001),
        "${x:-".repeat(500),
        "<<A <<B <<C ".repeat(100),
        "((".repeat(200),
        "[[ ".repeat(300),
        "case x in ".repeat(100),
        "x".repeat(1 << 20),
    ] {
        let judged = classify(&command);
        assert!(
            judged.class != ReadOnly || !command.contains("rm x"),
            "{}",
            &command[..command.len().min(40)]
        );
    }
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn pieces_of_a_torn_text_are_judged_by_the_own_policy_and_add_no_doubts() {
    let own = "[[tools]]\nnames = \"acmectl\"\nsubs = { destructive = [\"wipe\"] }\n";
    let policy = Policy::with_own(own).unwrap();
    assert_eq!(policy.classify("acmectl wipe db (").class, Destructive);
    assert_eq!(
        classify("acmectl wipe db (").reasons,
        ["it can't be parsed as shell"]
    );
}

#[test]
fn long_values_are_put_together_up_to_a_limit() {
    let of = |length: usize| {
        format!(
            "a='echo {0}'; b=';rm {0}'; bash -c \"$a$b\"",
            "x".repeat(length)
        )
    };
    assert_eq!(classify(&of(400)).class, Destructive);
    let grows = format!(
        "a={}; {}b=$a; rm=$b",
        "y".repeat(8_000),
        "a=$a$a; ".repeat(4)
    );
    assert_eq!(classify(&format!("{grows}; bash -c \"$a\"")).class, Unknown);
}

#[test]
fn many_command_substitutions_are_not_parsed() {
    let of = |pairs: usize| format!("echo {}", "`ls` ".repeat(pairs));
    assert_eq!(classify(&of(28)).class, ReadOnly);
    assert_eq!(classify(&of(30)).class, Unknown);
}

#[test]
fn lines_in_lines_out() {
    let mut out = Vec::new();
    let count = classify_lines(
        &Policy::default(),
        "df -h\n\n{\"command\":\"rm x\"}\n".as_bytes(),
        &mut out,
    )
    .unwrap();
    assert_eq!(count, 2);
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (lines[0]["class"].as_str(), lines[1]["class"].as_str()),
        (Some("read-only"), Some("destructive"))
    );
    assert!(classify_lines(&Policy::default(), "{\"x\":1}\n".as_bytes(), Vec::new()).is_err());
}

/// A wrapper that shows what it runs: the class inside must survive.
fn wrap(kind: usize, inner: &str) -> String {
    let quoted = format!("'{}'", inner.replace('\'', "'\\''"));
    match kind {
        0 => format!("sudo {inner}"),
        1 => format!("env A=1 {inner}"),
        2 => format!("nohup {inner}"),
        3 => format!("timeout 5 {inner}"),
        4 => format!("nice -n 3 {inner}"),
        5 => format!("sh -c {quoted}"),
        6 => format!("bash -lc {quoted}"),
        7 => format!("eval {quoted}"),
        8 => format!("echo $( {inner} )"),
        9 => format!("ls; {inner}"),
        10 => format!("ls && {inner} | cat"),
        11 => format!("( {inner} )"),
        12 => format!("if true; then {inner}; fi"),
        13 => format!("kubectl exec p -- sh -c {quoted}"),
        14 => format!("docker exec c sh -c {quoted}"),
        15 => format!("ssh host {quoted}"),
        16 => format!("chroot /host sh -c {quoted}"),
        17 => format!("find . -exec sh -c {quoted} \\;"),
        18 => format!("echo {quoted} | sh"),
        19 => format!("bash <<'X'\n{inner}\nX"),
        20 => {
            let code = format!("x={quoted}; eval \"$x\"").replace('\'', "'\\''");
            format!("bash -c '{code}'")
        }
        21 => format!("watch -n 2 {quoted}"),
        22 => format!("nsenter -t 1 -m -- sh -c {quoted}"),
        23 => format!("su - root -c {quoted}"),
        24 => format!("xargs sh -c {quoted}"),
        25 => format!("doas sh -c {quoted}"),
        26 => format!("runuser -u app -- sh -c {quoted}"),
        27 => format!("env -S {quoted}"),
        28 => format!("systemd-run --wait sh -c {quoted}"),
        29 => format!("strace -f sh -c {quoted}"),
        30 => format!("busybox sh -c {quoted}"),
        31 => format!("script -c {quoted} /dev/null"),
        32 => format!("flock /tmp/l -c {quoted}"),
        33 => format!("bash <<< {quoted}"),
        34 => format!("x=$(echo ok; {inner})"),
        35 => format!("cat <( {inner} )"),
        36 => format!("trap {quoted} EXIT"),
        37 => format!("f() {{ {inner}\n}}; f"),
        38 => format!("alias l={quoted}; l"),
        39 => format!("case a in a) {inner}\n;; esac"),
        40 => format!("while true; do {inner}\ndone"),
        41 => format!("parallel sh -c {quoted} ::: 1"),
        42 => format!("oc debug node/n -- chroot /host sh -c {quoted}"),
        43 => format!("docker run --rm -v /:/host alpine sh -c {quoted}"),
        44 => format!("crictl exec c sh -c {quoted}"),
        45 => format!("ansible all -m shell -a {quoted}"),
        46 => format!("find . -name x -exec env sh -c {quoted} {{}} +"),
        47 => format!("ip netns exec n sh -c {quoted}"),
        _ => format!("time {{ {inner}; }}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_wrapped_destructive_command_stays_destructive(kinds in prop::collection::vec(0usize..49, 0..4), inner in prop::sample::select(vec!["rm -rf /data", "kubectl delete pod x", "systemctl stop nginx", "dd if=a of=/dev/sda", "psql -c 'drop table x'"])) {
        let mut command = inner.to_owned();
        for kind in &kinds {
            command = wrap(*kind, &command);
        }
        let judged = classify(&command);
        prop_assert_eq!(judged.class, Destructive, "{}: {:?}", command, judged.reasons);
    }

    #[test]
    fn any_text_is_classified_and_never_worse_than_its_bounds(text in "\\PC{0,80}|[a-z |;&$(){}<>'\"`=-]{0,60}") {
        let once = classify(&text);
        prop_assert_eq!(once.clone(), classify(&text));
        prop_assert!(once.reasons.len() <= MAX_REASONS);
    }

    #[test]
    fn an_unknown_program_never_only_reads(name in "q[a-z]{6,12}", args in "[a-z -]{0,20}") {
        prop_assert_ne!(classify(&format!("{name} {args}x")).class, ReadOnly);
    }
}

#[test]
fn numbers_that_the_parser_cannot_hold_do_not_stop_it() {
    for command in [
        "ls 99999999999>out",
        "ls 99999\\\n999999>out",
        "ls ~+99999999999999999999999",
        "ls ~-99999999999999999999999/x",
        "ls \"${x:-~+99999999999999999999999}\"",
        "x=~-99999999999999999999999; cd $x",
    ] {
        let judged = classify(command);
        assert_ne!(judged.class, CommandClass::Destructive, "{command}");
        let worse = classify(&format!("{command}; rm -rf /"));
        assert_eq!(worse.class, CommandClass::Destructive, "{command}");
    }
}

#[test]
fn what_parses_of_a_torn_text_tells_what_it_does() {
    use CommandClass::{ChangesState, Destructive, Unknown};
    for (command, class, words) in [
        (
            "kubectl scale deploy web --replicas=3 (",
            ChangesState,
            "scale",
        ),
        (
            "if true; then systemctl restart nginx",
            ChangesState,
            "restart",
        ),
        ("for i in 1 2; do chmod 777 /etc", ChangesState, "chmod"),
        ("ls (; find / -delete", Destructive, "delete"),
        ("kubectl get pods |", Unknown, "parsed"),
        ("kubectl get pods (all of them)", Unknown, "parsed"),
        ("echo \"kubectl apply -f x", Unknown, "parsed"),
    ] {
        let judged = classify(command);
        assert_eq!(judged.class, class, "{command}: {:?}", judged.reasons);
        assert!(
            judged.reasons.iter().any(|reason| reason.contains(words)),
            "{command}: {:?}",
            judged.reasons
        );
    }
}

#[test]
fn the_worst_reason_comes_first_however_late_it_stands() {
    let unknown: String = (0..40)
        .map(|number| format!("frobnicate{number} x; "))
        .collect();
    let judged = classify(&format!("{unknown} touch y; rm x"));
    assert_eq!(judged.class, Destructive);
    assert!(judged.reasons[0].contains("`rm`"), "{:?}", judged.reasons);
    assert!(
        judged.reasons[1].contains("`touch`"),
        "{:?}",
        judged.reasons
    );
    assert_eq!(judged.reasons.len(), MAX_REASONS);
    assert!(classify("ls; ls; df").reasons.is_empty());
    assert_eq!(classify("frob; frob; frob").reasons.len(), 1);
}

#[test]
fn the_limits_of_length_nesting_and_parts_are_met() {
    let long = |bytes: usize| format!("ls {}", "x".repeat(bytes - 3));
    assert_eq!(classify(&long(MAX_COMMAND_BYTES)).class, ReadOnly);
    let judged = classify(&long(MAX_COMMAND_BYTES + 1));
    assert_eq!(judged.class, Unknown);
    assert!(
        judged.reasons.iter().any(|reason| reason.contains("long")),
        "{:?}",
        judged.reasons
    );
    let hidden = format!("rm x; {}", long(MAX_COMMAND_BYTES));
    assert_eq!(classify(&hidden).class, Destructive);

    assert_eq!(
        classify(&format!("{}ls", "sudo ".repeat(MAX_DEPTH))).class,
        ReadOnly
    );
    let judged = classify(&format!("{}ls", "sudo ".repeat(MAX_DEPTH + 1)));
    assert_eq!(judged.class, Unknown);
    assert!(judged.reasons[0].contains("deeply"), "{:?}", judged.reasons);
    // What stands side by side is not nested.
    assert_eq!(classify(&"(ls); ".repeat(MAX_DEPTH + 8)).class, ReadOnly);

    // A text, each command in it, its arguments and what a wrapper runs are a part each.
    let parts = |sudos: usize| {
        format!(
            "{}{}",
            "sudo true; ".repeat(sudos),
            "true; ".repeat((MAX_PARTS - 1) / 2 - sudos)
        )
    };
    assert_eq!(classify(&parts(1)).class, ReadOnly);
    let judged = classify(&parts(2));
    assert_eq!(judged.class, Unknown);
    assert!(judged.reasons[0].contains("parts"), "{:?}", judged.reasons);
}

#[test]
fn text_without_a_command_says_so() {
    for text in ["", "  \n\t", "``", "# a note"] {
        let judged = classify(text);
        assert_eq!(judged.class, Unknown, "{text:?}");
        assert_eq!(judged.reasons, ["there is no command"], "{text:?}");
    }
}

#[test]
fn a_class_has_one_name_everywhere() {
    for (class, name) in [
        (ReadOnly, "read-only"),
        (Unknown, "unknown"),
        (ChangesState, "changes-state"),
        (Destructive, "destructive"),
    ] {
        assert_eq!(class_name(class), name);
        assert_eq!(serde_json::to_value(class).unwrap(), name);
    }
}

#[test]
fn a_line_that_is_too_long_is_refused_with_its_number() {
    let most = 256 << 10;
    let judge = |input: String| classify_lines(&Policy::default(), input.as_bytes(), Vec::new());
    let line = |bytes: usize| format!("ls {}", "x".repeat(bytes - 3));
    assert_eq!(judge(line(most)).unwrap(), 1);
    assert_eq!(judge(format!("{}\nls\n", line(most - 1))).unwrap(), 2);
    let error = judge(format!("ls\n\n{}", line(most + 1))).unwrap_err();
    assert!(error.to_string().contains("line 3 is longer"), "{error}");
    let error = judge(format!("{}\nls\n", line(most))).unwrap_err();
    assert!(error.to_string().contains("line 1 is longer"), "{error}");
    let error = judge("ls\n{\"command\": 1}\n".to_owned()).unwrap_err();
    assert!(error.to_string().contains("line 2 is JSON"), "{error}");
}

#[test]
fn lines_are_taken_as_they_stand() {
    let mut out = Vec::new();
    let input = "ls\r\n \t\n  {\"command\":\"df\"}\r\n{\"a\nrm x";
    assert_eq!(
        classify_lines(&Policy::default(), input.as_bytes(), &mut out).unwrap(),
        4
    );
    let commands: Vec<String> = String::from_utf8(out)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["command"].to_string())
        .collect();
    assert_eq!(commands, ["\"ls\"", "\"df\"", "\"{\\\"a\"", "\"rm x\""]);
}

#[test]
fn text_that_cannot_be_parsed_names_the_verb_that_stands_in_it() {
    for (command, reason) in [
        (
            "echo \"a; rm -rf x",
            "can't be parsed, and \"rm\" stands in it",
        ),
        (
            "( (systemctl stop x",
            "can't be parsed, and \"systemctl stop\" stands in it",
        ),
        (
            "ls --force (",
            "can't be parsed, and \"--force\" stands in it",
        ),
        ("echo \"a b", "it can't be parsed as shell"),
    ] {
        let judged = classify(command);
        assert!(
            judged.reasons.iter().any(|known| known == reason),
            "{command}: {:?}",
            judged.reasons
        );
    }
}

#[test]
fn a_reason_says_what_it_is_about() {
    for (command, reason) in [
        (
            "docker run --privileged -v /:/h alpine ls",
            "a privileged container with folders of the host",
        ),
        (
            "curl -X $M http://h/x",
            "the HTTP method is not in the text",
        ),
        (
            "curl -X FROB http://h/x",
            "the HTTP method FROB is not known",
        ),
        ("dd if=a of=/dev/sda", "`dd` overwrites the device /dev/sda"),
        (
            "/usr/bin/x.sh a",
            "/usr/bin/x.sh is a script that is not shown",
        ),
        (
            "/usr/bin/x.py a",
            "/usr/bin/x.py is a script that is not shown",
        ),
        (
            "/usr/bin/x.pl a",
            "/usr/bin/x.pl is a script that is not shown",
        ),
        ("nc h 25", "what is sent is not in the text"),
        ("sqlplus a", "a database session"),
        (
            "$(which x) y",
            "which program runs comes from another command",
        ),
        ("$X y", "which program runs is not in the text"),
    ] {
        let judged = classify(command);
        assert!(
            judged.reasons.iter().any(|known| known == reason),
            "{command}: {:?}",
            judged.reasons
        );
    }
    for command in [
        "docker run -v /:/h alpine ls",
        "docker run --privileged alpine ls",
    ] {
        assert_eq!(
            classify(command).reasons,
            ["`docker run` creates a container"],
            "{command}"
        );
    }
}
