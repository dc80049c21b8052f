//! Where a request comes from.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::HttpRequest;
use ipnet::IpNet;

/// The address of the caller, also behind our own proxies.
pub(crate) fn of(request: &HttpRequest, proxies: &[IpNet]) -> IpAddr {
    // A connection without an address is none of the network.
    let peer = request.peer_addr().map_or(Ipv4Addr::LOCALHOST.into(), |peer| peer.ip());
    let forwarded = request.headers().get_all("x-forwarded-for");
    model::caller_address(peer, forwarded.filter_map(|value| value.to_str().ok()), proxies)
}
