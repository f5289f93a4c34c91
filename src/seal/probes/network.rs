//! Probes that hold a whole conversation, with ourselves: nothing leaves the machine even if it
//! succeeds.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketType, bind, connect, getsockname, listen,
    sendto, socket,
};

use super::{Outcome, Probe};
use crate::seal::plan::Layer;

/// The name of an abstract socket.
const ABSTRACT: &[u8] = b"narrowroom-probe";

pub(super) fn probes() -> Vec<Probe> {
    let probe =
        |name: &str, attempt: &str, open: &[i32], run: fn() -> rustix::io::Result<()>| Probe {
            name: name.to_owned(),
            attempt: attempt.to_owned(),
            layers: vec![Layer::Seccomp],
            expected: vec![libc::EPERM],
            open: open.to_vec(),
            run: Box::new(move || Outcome::from(run())),
        };
    vec![
        probe(
            "tcp4",
            "listen on a TCP port of 127.0.0.1 and connect to it",
            &[],
            || {
                tcp(
                    AddressFamily::INET,
                    SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                )
            },
        ),
        probe(
            "tcp6",
            "listen on a TCP port of ::1 and connect to it",
            &[],
            || {
                tcp(
                    AddressFamily::INET6,
                    SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
                )
            },
        ),
        probe("udp4", "send an empty UDP datagram to ourselves", &[], udp),
        probe(
            "unix-path",
            "connect to a unix socket that does not exist",
            &[libc::ENOENT],
            || {
                let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
                connect(&socket, &SocketAddrUnix::new("/narrowroom-probe-nothing")?)
            },
        ),
        probe(
            "unix-abstract",
            "listen on an abstract unix socket and connect to it",
            &[],
            || {
                let server = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
                bind(&server, &SocketAddrUnix::new_abstract_name(ABSTRACT)?)?;
                listen(&server, 1)?;
                let client = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
                connect(&client, &SocketAddrUnix::new_abstract_name(ABSTRACT)?)
            },
        ),
    ]
}

fn tcp(family: AddressFamily, any_port: SocketAddr) -> rustix::io::Result<()> {
    let server = socket(family, SocketType::STREAM, None)?;
    bind(&server, &any_port)?;
    listen(&server, 1)?;
    let client = socket(family, SocketType::STREAM, None)?;
    connect(&client, &getsockname(&server)?)
}

fn udp() -> rustix::io::Result<()> {
    let one = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    bind(&one, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    sendto(&one, &[], SendFlags::empty(), &getsockname(&one)?).map(drop)
}
