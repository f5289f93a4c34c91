//! Gateways of a cloud's network that have no port left for another connection: new connections to the outside time out,
//! existing ones go on.

use super::emit::{Ctx, Draft, cut};
use crate::bundle::FileKind;
use crate::report::Evidence;

/// Largest file looked into, in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// A connection for which the gateway had no port, in the flow log of Google's Cloud NAT.
const DROPPED: [&str; 2] = [
    "\"allocation_status\": \"DROPPED\"",
    "\"allocation_status\":\"DROPPED\"",
];
/// Settings that decide how many there are.
const SETTINGS: [&str; 6] = [
    "minPortsPerVm",
    "enableDynamicPortAllocation",
    "maxPortsPerVm",
    "allocatedOutboundPorts",
    "idleTimeoutInMinutes",
    "gateway_name",
];

/// Gateways that dropped connections.
pub fn detect(ctx: &Ctx) {
    let (mut dropped, mut count): (Option<Evidence>, u32) = (None, 0);
    let mut settings: Vec<(usize, Evidence)> = Vec::new();
    let structured = |kind| matches!(kind, FileKind::Json | FileKind::Yaml | FileKind::Log);
    for entry in ctx
        .tree
        .files()
        .filter(|entry| entry.bytes > 0 && entry.bytes <= MAX_BYTES && structured(entry.kind))
    {
        let _ = ctx.tree.for_each_line(entry, |number, line| {
            let cite = || Evidence {
                path: entry.path.as_str().to_owned(),
                line_start: number as u64,
                line_end: number as u64,
                quote: cut(line.trim(), 200),
            };
            if DROPPED.iter().any(|words| line.contains(words)) {
                count += 1;
                dropped.get_or_insert_with(cite);
            }
            if let Some(at) = SETTINGS.iter().position(|words| line.contains(words))
                && !settings.iter().any(|(known, _)| *known == at)
            {
                settings.push((at, cite()));
            }
            number < 200_000
        });
    }
    let Some(dropped) = dropped.filter(|_| count >= 2) else {
        return;
    };
    settings.sort_by_key(|(at, _)| *at);
    let set = match settings.first().filter(|(at, _)| *at < 4) {
        Some((_, evidence)) => format!(" ({})", cut(&evidence.quote, 60)),
        None => String::new(),
    };
    let mut draft = Draft::cause("nat-ports-exhausted", "Gateway", "", "NAT", 0.9).says(
        format!("the NAT gateway has no source port left{set}: it drops new connections to the outside"),
        format!("The NAT gateway of the network drops connections because the ports for one machine are used up{set}, so new connections to the outside time out while open ones go on. More ports for each machine, their dynamic allocation, more addresses, or fewer and longer connections help."),
    ).show(Some(dropped));
    for (_, evidence) in settings.into_iter().take(3) {
        draft = draft.show(Some(evidence));
    }
    ctx.emit(draft);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{first, run};

    #[test]
    fn a_gateway_that_drops_connections() {
        let of = |status: &str| {
            let flows = format!("[\n {{\n  \"jsonPayload\": {{\n   \"allocation_status\": \"{status}\"\n  }}\n }}\n]\n").repeat(2);
            run(&[
                ("gcloud/flows.json", &flows),
                ("gcloud/nat.yaml", "name: nat-1\nminPortsPerVm: 64\n"),
            ])
        };
        assert_eq!(first(&of("DROPPED")).cause, "nat-ports-exhausted");
        assert!(
            of("OK")
                .signals
                .iter()
                .all(|one| one.cause != "nat-ports-exhausted")
        );
    }
}
