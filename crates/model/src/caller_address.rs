//! Where a request comes from, also behind proxies.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// The address of a caller: the nearest one that is not a proxy of ours. `peer` is who has connected, `forwarded` what
/// `X-Forwarded-For` says, each of its headers; only what our own proxies wrote there is believed, because anybody may send it.
#[must_use]
pub fn caller_address<'h>(
    peer: IpAddr,
    forwarded: impl IntoIterator<Item = &'h str>,
    proxies: &[IpNet],
) -> IpAddr {
    let is_ours = |address: IpAddr| proxies.iter().any(|network| network.contains(&address));
    let forwarded: Vec<&str> = forwarded.into_iter().flat_map(|value| value.split(',')).collect();
    let mut caller = peer.to_canonical();
    // Each proxy adds who it heard from at the end.
    for text in forwarded.into_iter().rev() {
        match address(text.trim()) {
            Some(before) if is_ours(caller) => caller = before.to_canonical(),
            _ => break,
        }
    }
    caller
}

/// An address, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(peer: &str, forwarded: &[&str]) -> String {
        let proxies = ["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        caller_address(peer.parse().unwrap(), forwarded.iter().copied(), &proxies).to_string()
    }

    #[test]
    fn behind_a_proxy_of_ours_the_caller_is_who_the_proxy_heard_from() {
        assert_eq!(caller("127.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(caller("127.0.0.1", &["192.0.2.1, 10.1.2.3"]), "192.0.2.1");
        assert_eq!(caller("127.0.0.1", &["192.0.2.1", "10.1.2.3"]), "192.0.2.1");
        assert_eq!(caller("::ffff:127.0.0.1", &["192.0.2.1:4711"]), "192.0.2.1");
        assert_eq!(caller("127.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(caller("127.0.0.1", &["[2001:db8::1]"]), "2001:db8::1");
    }

    #[test]
    fn what_a_stranger_says_of_itself_is_not_believed() {
        assert_eq!(caller("192.0.2.9", &["192.0.2.1"]), "192.0.2.9");
        assert_eq!(caller("127.0.0.1", &["198.51.100.7, 192.0.2.1"]), "192.0.2.1");
        assert_eq!(caller("127.0.0.1", &["192.0.2.1, unknown"]), "127.0.0.1");
        assert_eq!(caller("127.0.0.1", &[]), "127.0.0.1");
    }
}
