//! Containers, their states, probes and environment, of pods and of templates.

use super::super::model::*;
use super::super::time::parse_time;
use super::super::value::Val;
use super::Obj;

impl Obj<'_> {
    pub fn state(&self, val: &Val) -> State {
        for (key, kind) in [
            ("waiting", StateKind::Waiting),
            ("terminated", StateKind::Terminated),
            ("running", StateKind::Running),
        ] {
            let inner = val.get(key);
            if !inner.is_null() {
                return State {
                    kind,
                    reason: self.loc(inner.get("reason")),
                    message: self.loc(inner.get("message")),
                    exit_code: self.int(inner.get("exitCode")),
                    started: parse_time(inner.get("startedAt").text()),
                    finished: parse_time(inner.get("finishedAt").text()),
                };
            }
        }
        State::default()
    }
    pub fn resources(&self, val: &Val) -> std::collections::BTreeMap<String, Loc<String>> {
        val.members()
            .iter()
            .map(|(key, value)| (key.clone(), self.loc(value)))
            .collect()
    }
    pub fn reference(&self, kind: &str, val: &Val) -> Reference {
        Reference {
            kind: kind.into(),
            name: val.get("name").text().to_owned(),
            key: val.get("key").text().to_owned(),
            optional: val.get("optional").bool().unwrap_or(false),
            src: self.src(if val.get("name").at.line > 0 {
                val.get("name").at
            } else {
                val.at
            }),
        }
    }
    pub fn container(&self, val: &Val, init: bool) -> Container {
        let mut container = Container {
            name: val.get("name").text().to_owned(),
            init,
            image: self.loc(val.get("image")),
            limits: self.resources(val.at_path(&["resources", "limits"])),
            requests: self.resources(val.at_path(&["resources", "requests"])),
            ..Container::default()
        };
        for part in ["command", "args"] {
            container
                .command
                .extend(val.get(part).items().iter().map(|word| self.loc(word)));
        }
        for env in val.get("env").items() {
            let from = env.get("valueFrom");
            for (key, kind) in [("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")] {
                if !from.get(key).is_null() {
                    container
                        .references
                        .push(self.reference(kind, from.get(key)));
                }
            }
            container.env.push((
                env.get("name").text().to_owned(),
                self.loc(env.get("value")),
            ));
        }
        for source in val.get("envFrom").items() {
            for (key, kind) in [("secretRef", "Secret"), ("configMapRef", "ConfigMap")] {
                if !source.get(key).is_null() {
                    container
                        .references
                        .push(self.reference(kind, source.get(key)));
                }
            }
        }
        for (key, kind) in [
            ("livenessProbe", "liveness"),
            ("readinessProbe", "readiness"),
            ("startupProbe", "startup"),
        ] {
            let probe = val.get(key);
            if probe.is_null() {
                continue;
            }
            let (mut port, mut text, mut at) = (String::new(), String::from("exec"), probe.at);
            for (how, label) in [
                ("httpGet", "http-get"),
                ("tcpSocket", "tcp-socket"),
                ("grpc", "grpc"),
            ] {
                let action = probe.get(how);
                if !action.is_null() {
                    port = action.get("port").scalar();
                    text = format!("{label} :{port}{}", action.get("path").text());
                    at = if action.get("port").at.line > 0 {
                        action.get("port").at
                    } else {
                        action.at
                    };
                }
            }
            container.probes.push(Probe {
                kind: kind.into(),
                port,
                text: Loc::new(text, self.src(at)),
            });
        }
        for port in val.get("ports").items() {
            container.ports.push((
                port.get("name").text().to_owned(),
                port.get("containerPort").int().unwrap_or(0),
            ));
        }
        container
    }
    pub fn containers(&self, spec: &Val) -> Vec<Container> {
        let init = spec
            .get("initContainers")
            .items()
            .iter()
            .map(|val| self.container(val, true));
        init.chain(
            spec.get("containers")
                .items()
                .iter()
                .map(|val| self.container(val, false)),
        )
        .collect()
    }
}
