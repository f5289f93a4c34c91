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
    for command in ["rm x", "frob", "mkdir x"] {
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
