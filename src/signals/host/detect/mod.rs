//! Detectors that read state, or several log lines together.

mod bonds;
mod boot;
mod cards;
mod certificates;
mod config;
mod configured;
mod counters;
mod cpu;
mod disk;
mod filesystems;
mod firewall;
mod hardware;
mod history;
mod idle_services;
mod interfaces;
mod kernel_drops;
mod lastwords;
mod limits;
mod load;
mod memory;
mod mtu;
mod network;
mod nodes;
mod oom;
mod packages;
mod panic;
mod pcie;
mod raid;
mod reboots;
mod security;
mod sockets;
mod ticket;
mod time;
mod units;
mod upgrades;
mod volumes;

use super::facts::Host;
use super::logs::Hits;
use crate::signals::Partial;

/// Runs all of them.
pub fn run(host: &Host, hits: &Hits, out: &mut Partial) {
    oom::detect(host, hits, out);
    memory::detect(host, hits, out);
    nodes::detect(host, out);
    filesystems::detect(host, hits, out);
    disk::detect(host, out);
    raid::detect(host, out);
    network::detect(host, hits, out);
    interfaces::detect(host, out);
    cards::detect(host, out);
    kernel_drops::detect(host, out);
    pcie::detect(host, out);
    configured::detect(host, out);
    idle_services::detect(host, out);
    volumes::detect(host, out);
    bonds::detect(host, out);
    hardware::detect(host, out);
    sockets::detect(host, out);
    counters::detect(host, out);
    limits::detect(host, out);
    load::detect(host, out);
    cpu::detect(host, out);
    time::detect(host, out);
    certificates::detect(host, out);
    packages::detect(host, out);
    upgrades::detect(host, out);
    config::detect(host, hits, out);
    security::detect(host, hits, out);
    reboots::detect(host, out);
    boot::detect(host, hits, out);
    firewall::detect(host, hits, out);
    panic::detect(host, hits, out);
    units::detect(host, hits, out);
    ticket::detect(host, out);
}
