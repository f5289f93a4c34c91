//! What stands nowhere in the bundle: copied and so invented, or computed, or something to be set?

use super::known::{Known, Strictness};
use crate::verify::names::{Name, What};
use crate::verify::values::{Nearness, Value};
use crate::verify::verdict::{Matched, Status};

impl Known {
    /// What follows for a name or value that stands nowhere: is it copied, then it is invented; or may it be computed?
    pub(super) fn absent(
        &self,
        name: &Name,
        short: &str,
        strictness: Strictness,
    ) -> (Status, String, Option<Matched>) {
        let nowhere = || format!("{short:?} stands nowhere in the bundle");
        let computed = || format!("{short:?} stands nowhere in the bundle: computed or invented");
        let flagged = |reason| (Status::Flagged, reason, None);
        let rejected = |reason| (Status::Rejected, reason, None);
        let manner = name.manner;
        if self.is_unclear(name) {
            return flagged(format!(
                "{short:?} was not found in what was searched; a limit ended the search"
            ));
        }
        if manner.planned && (name.value.is_some() || is_setting(&name.text)) {
            return flagged(format!(
                "{short:?} stands nowhere in the bundle: something to be set"
            ));
        }
        if let Some(figure) = &name.figure {
            let reason = format!(
                "nothing in the bundle gives {short:?} as {}",
                figure.what.called()
            );
            return if name.computed || figure.what == What::Restarts && !self.counts_restarts {
                flagged(format!("{reason}: counted or invented"))
            } else {
                rejected(reason)
            };
        }
        match &name.value {
            Some(Value::Moment(_)) => self.absent_moment(name, short),
            Some(Value::Amount(amount))
                if amount.is_exact_time() && !manner.apart
                    || amount.is_share() && manner.filled && self.shows_shares =>
            {
                rejected(nowhere())
            }
            _ if name.computed => flagged(computed()),
            _ if strictness == Strictness::Advice && is_option(&name.text) => flagged(format!(
                "{short:?} stands nowhere in the bundle: the name of an option or a function"
            )),
            _ if strictness == Strictness::Answer && name.text.contains("://") => {
                flagged(format!("{short:?} is a link that is not in the bundle"))
            }
            _ if strictness == Strictness::Answer && is_field(&name.text) => flagged(format!(
                "{short:?} stands nowhere in the bundle: the name of a field or a function"
            )),
            _ => rejected(nowhere()),
        }
    }

    /// The same for a point in time.
    fn absent_moment(&self, name: &Name, short: &str) -> (Status, String, Option<Matched>) {
        let Some(Value::Moment(moment)) = &name.value else {
            return (Status::Flagged, String::new(), None);
        };
        let clock = moment.has_clock();
        let day = moment
            .neighbours()
            .into_iter()
            .chain(moment.day_alone())
            .find_map(|day| self.value_place(Value::Moment(day)));
        if moment.has_day() && day.is_none() {
            let reason = format!("nothing in the bundle is of the day {short:?}");
            return (Status::Rejected, reason, None);
        }
        if !clock {
            let reason = format!(
                "{short:?} stands nowhere in the bundle, a time of that or the next day does: computed or invented"
            );
            return (Status::Flagged, reason, day.cloned());
        }
        for (near, what) in [
            (Nearness::Shifted, "the same time in another time zone"),
            (Nearness::About, "a time near it"),
        ] {
            if let Some(matched) = self.seen_near(name, near) {
                let reason = format!("{short:?} stands nowhere in the bundle, {what} does");
                return (Status::Flagged, reason, Some(matched.clone()));
            }
        }
        if name.manner.lasts && !moment.has_day() {
            let reason = format!(
                "{short:?} stands nowhere in the bundle: a span of time that is computed or invented"
            );
            return (Status::Flagged, reason, None);
        }
        let reason = format!("nothing in the bundle is of the time {short:?}");
        (Status::Rejected, reason, None)
    }
}

/// Whether a name is written like a field of an object or a function: `imagePullSecrets`, `spec.nodeName`.
fn is_field(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphabetic() || matches!(c, '.' | '[' | ']'))
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .split('.')
            .all(|part| part.len() > 1 && part.starts_with(|c: char| c.is_ascii_lowercase()))
        && name.chars().any(|c| c.is_ascii_uppercase())
}

/// Whether a text is a setting that may be made: an option, a field, a field with its value.
fn is_setting(text: &str) -> bool {
    let (key, value) = text.split_once([':', '=']).unwrap_or((text, ""));
    let key = key.trim();
    (is_field(key)
        || is_option(key)
        || !value.is_empty()
            && key
                .chars()
                .all(|c| c.is_ascii_alphabetic() || matches!(c, '.' | '_' | '-')))
        && text.len() <= 120
}

/// Whether a name is written like an option or a function of a program: lower case words joined by `_`.
fn is_option(name: &str) -> bool {
    name.contains('_')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '.' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_options_and_settings_are_told_from_names() {
        for (text, field, option, setting) in [
            ("imagePullSecrets", true, false, true),
            ("spec.nodeName", true, false, true),
            ("spec.containers[].livenessProbe", true, false, true),
            ("s.nodeName", false, false, false),
            ("spec.", false, false, false),
            ("cart", false, false, false),
            ("Cart", false, false, false),
            ("spec.NodeName", false, false, false),
            ("cartNode7", false, false, false),
            ("max_connections", false, true, true),
            ("innodb.buffer_pool-size", false, true, true),
            ("max", false, false, false),
            ("Max_Connections", false, false, false),
            ("max_connections2", false, false, false),
            ("replicas: 3", false, false, true),
            ("Retry-After=5", false, false, true),
            ("cart7: 3", false, false, false),
            ("replicas:", false, false, false),
        ] {
            assert_eq!(
                (is_field(text), is_option(text), is_setting(text)),
                (field, option, setting),
                "{text}"
            );
        }
        let long = |length: usize| format!("key={}", "x".repeat(length - 4));
        assert!(is_setting(&long(120)) && !is_setting(&long(121)));
    }
}
