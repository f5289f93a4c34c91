//! Everything that the room says in words beside its report, gathered for the verifier and put back
//! as it came from there: a room that was taken over speaks to people through no other text.

use crate::error::{Error, Result};
use crate::room::protocol::{Beside, Exchange, RoomSummary};

/// Most text beside a report, in bytes: transcripts of the longest runs have a tenth of it.
const MAX_BYTES: usize = 8 << 20;
/// Most notes, origins and reasons of each kind.
const MAX_NOTES: usize = 1_000;

/// Takes the citations out of `summary` and copies every other text of it and of `transcript`.
///
/// # Errors
/// A bug when it is more than any honest room says.
pub(super) fn take(summary: &mut RoomSummary, transcript: &mut [Exchange]) -> Result<Beside> {
    let counts = [
        summary.notes.len(),
        summary.origins.len(),
        summary.profile_why.len(),
        summary.injections.len(),
        summary.timings.len(),
        summary.secrets.len(),
    ];
    // Kinds of secrets are names out of the rules.
    let plain =
        |kind: &String| kind.len() <= 60 && kind.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let texts: Vec<String> = texts(summary, transcript)
        .map(|text| text.clone())
        .collect();
    let bytes = texts.iter().map(String::len).sum::<usize>()
        + summary
            .injections
            .iter()
            .map(|evidence| evidence.path.len() + evidence.quote.len())
            .sum::<usize>();
    if counts.iter().any(|count| *count > MAX_NOTES)
        || bytes > MAX_BYTES
        || !summary.secrets.keys().all(plain)
    {
        return Err(Error::bug(
            "the room said more beside its report than it may",
        ));
    }
    Ok(Beside {
        injections: std::mem::take(&mut summary.injections),
        texts,
    })
}

/// Puts what the verifier let through in the place of what the room said.
///
/// # Errors
/// A bug when the verifier gives back more or fewer texts.
pub(super) fn put_back(
    summary: &mut RoomSummary,
    transcript: &mut [Exchange],
    beside: Beside,
) -> Result<()> {
    summary.injections = beside.injections;
    let mut judged = beside.texts.into_iter();
    let mut complete = true;
    texts(summary, transcript).for_each(|text| match judged.next() {
        Some(one) => *text = one,
        None => complete = false,
    });
    if complete && judged.next().is_none() {
        Ok(())
    } else {
        Err(Error::bug("the verifier lost what the room said"))
    }
}

/// Every text, always in the same order.
fn texts<'a>(
    summary: &'a mut RoomSummary,
    transcript: &'a mut [Exchange],
) -> impl Iterator<Item = &'a mut String> {
    let RoomSummary {
        profile_why,
        playbook_id,
        playbook_version,
        playbook_sha256,
        signals: _,
        secrets: _,
        injections: _,
        model,
        origins,
        notes,
        escalation: _,
        prefixes_missing: _,
        skipped,
        timings,
    } = summary;
    let model = model.iter_mut().flat_map(|model| {
        [
            &mut model.name,
            &mut model.architecture,
            &mut model.sha256,
            &mut model.quantisation,
            &mut model.run_quantisation,
            &mut model.sampling,
        ]
    });
    profile_why
        .iter_mut()
        .chain([playbook_id, playbook_version, playbook_sha256])
        .chain(model)
        .chain(
            origins
                .iter_mut()
                .flat_map(|origin| [&mut origin.cause, &mut origin.title, &mut origin.detector]),
        )
        .chain(notes)
        .chain(timings.iter_mut().map(|(name, _)| name))
        .chain(
            skipped
                .iter_mut()
                .flat_map(|one| [&mut one.name, &mut one.reason]),
        )
        .chain(transcript.iter_mut().flat_map(|exchange| {
            [
                &mut exchange.step,
                &mut exchange.prompt,
                &mut exchange.output,
                &mut exchange.stop,
                &mut exchange.result,
            ]
        }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said() -> (RoomSummary, Vec<Exchange>) {
        let summary = RoomSummary {
            notes: vec!["a note".into()],
            profile_why: vec!["a reason".into()],
            ..RoomSummary::default()
        };
        let exchange = Exchange {
            step: "rank".into(),
            attempt: 1,
            prompt: "a prompt".into(),
            output: "an output".into(),
            prompt_tokens: 1,
            output_tokens: 1,
            stop: "end".into(),
            millis: 1,
            result: "kept".into(),
        };
        (summary, vec![exchange])
    }

    #[test]
    fn every_text_goes_out_and_comes_back_in_its_place() {
        let (mut summary, mut transcript) = said();
        let mut beside = take(&mut summary, &mut transcript).unwrap();
        for text in &mut beside.texts {
            text.push_str(" (masked)");
        }
        put_back(&mut summary, &mut transcript, beside).unwrap();
        assert_eq!(summary.notes, ["a note (masked)"]);
        assert_eq!(summary.profile_why, ["a reason (masked)"]);
        assert_eq!(transcript[0].output, "an output (masked)");
        assert_eq!(transcript[0].result, "kept (masked)");
    }

    #[test]
    fn more_than_an_honest_room_says_is_refused() {
        let (mut summary, mut transcript) = said();
        summary.notes = vec![String::new(); MAX_NOTES + 1];
        assert!(take(&mut summary, &mut transcript).is_err());
        let (mut summary, mut transcript) = said();
        transcript[0].output = "x".repeat(MAX_BYTES + 1);
        assert!(take(&mut summary, &mut transcript).is_err());
        let (mut summary, mut transcript) = said();
        summary.secrets.insert("a\u{1b}[31mkind".into(), 1);
        assert!(take(&mut summary, &mut transcript).is_err());
        let (mut summary, mut transcript) = said();
        let beside = take(&mut summary, &mut transcript).unwrap();
        let fewer = Beside {
            texts: beside.texts[1..].to_vec(),
            ..Beside::default()
        };
        assert!(put_back(&mut summary, &mut transcript, fewer).is_err());
    }
}
