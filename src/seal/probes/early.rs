//! Probes of layers that the allow-list hides afterwards: made after Landlock, just before it.

use std::net::{Ipv4Addr, SocketAddr};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use super::{Outcome, Probe, Scene};
use crate::seal::plan::Layer;
use crate::seal::sys;

pub(super) fn probes(scene: &Scene) -> Vec<Probe> {
    let capability = Probe {
        name: "early-capability".to_owned(),
        attempt: "unshare(CLONE_NEWUTS), which a capability would allow, before the allow-list"
            .to_owned(),
        layers: vec![Layer::Capabilities],
        expected: vec![libc::EPERM],
        open: vec![],
        run: Box::new(|| {
            let flags = libc::CLONE_NEWUTS as usize;
            // SAFETY: takes a number; another name of the host changes nothing for this process.
            let made = unsafe { sys::call(libc::SYS_unshare, [flags, 0, 0, 0, 0, 0]) };
            Outcome::from(made.map(drop))
        }),
    };
    let mut probes = vec![
        capability,
        Probe {
            name: "early-loopback".to_owned(),
            attempt: "connect a UDP socket to 127.0.0.1, before the allow-list".to_owned(),
            layers: vec![Layer::NetworkNamespace],
            expected: vec![libc::ENETUNREACH],
            open: vec![],
            run: Box::new(|| {
                // Connecting a datagram socket sends nothing; it asks for a route.
                let route = socket(AddressFamily::INET, SocketType::DGRAM, None)
                    .and_then(|one| connect(&one, &SocketAddr::from((Ipv4Addr::LOCALHOST, 9))));
                Outcome::from(route)
            }),
        },
    ];
    if scene.landlock_abi >= 4 {
        probes.push(Probe {
            name: "early-tcp-bind".to_owned(),
            attempt: "bind a TCP port, before the allow-list".to_owned(),
            layers: vec![Layer::Landlock],
            expected: vec![libc::EACCES],
            open: vec![],
            run: Box::new(|| {
                let bound = socket(AddressFamily::INET, SocketType::STREAM, None)
                    .and_then(|one| bind(&one, &SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))));
                Outcome::from(bound)
            }),
        });
    }
    probes
}
