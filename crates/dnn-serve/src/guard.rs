//! Who may ask: the names of this server, the pages that may use it, and the token.
//!
//! A server on loopback is reachable from every web page that its user opens. A page elsewhere sends
//! an `Origin` that is not ours; one whose name was made to point at this machine (DNS rebinding)
//! sends a `Host` that is not ours. An address in numbers cannot be rebound, so it is always ours.

use crate::problem::Problem;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use sha2::{Digest, Sha256};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The checks that a request passes before its body is read.
pub(crate) struct Guard {
    /// Names, in lower case, that this server goes by besides `localhost` and addresses in numbers.
    hosts: Vec<String>,
    /// The token's SHA-256: digests are compared, so that the time it takes tells nothing of it.
    token: Option<[u8; 32]>,
}

impl Guard {
    pub(crate) fn new(hosts: &[String], token: Option<&str>) -> Self {
        let hosts = hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        Self { hosts, token: token.map(|token| Sha256::digest(token).into()) }
    }

    /// Checks that the request was meant for this server, and does not come from a page of another one.
    pub(crate) fn check_source(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let asked = match (uri.authority(), hosts.next(), hosts.next()) {
            (_, _, Some(_)) => return Err(Problem::bad_request("several Host headers")),
            (Some(authority), _, _) => authority.clone(),
            (None, Some(host), None) => Authority::try_from(host.as_bytes())
                .map_err(|_| Problem::bad_request("the Host header is no name"))?,
            (None, None, None) => return Err(Problem::bad_request("no Host header")),
        };
        if !self.is_ours(asked.host()) {
            return Err(Problem::misdirected(
                "the Host header names another server: expected localhost, an address in numbers, or \
                 a name given with --allow-host",
            ));
        }
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
        let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        if authority.is_some_and(|(_, from)| from.eq_ignore_ascii_case(asked.as_str())) {
            return Ok(());
        }
        Err(Problem::forbidden("a web page of another origin may not use this server"))
    }

    fn is_ours(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        host == "localhost"
            || host.parse::<Ipv4Addr>().is_ok()
            || v6.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok())
            || self.hosts.contains(&host)
    }

    /// Checks that the request has the token, if there is one.
    pub(crate) fn check_token(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(expected) = &self.token else { return Ok(()) };
        let given = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let given = given.and_then(|value| value.split_at_checked(7));
        match given {
            Some((scheme, token))
                if scheme.eq_ignore_ascii_case(b"bearer ")
                    && <[u8; 32]>::from(Sha256::digest(token)) == *expected =>
            {
                Ok(())
            }
            _ => Err(Problem::unauthorized()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(guard: &Guard, headers: &[(header::HeaderName, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value.parse().expect("a header"));
        }
        let checked = guard.check_source(&"/v1/predict".parse().expect("a path"), &map);
        checked.and_then(|()| guard.check_token(&map)).map_or_else(|p| p.status.as_u16(), |()| 200)
    }

    #[test]
    fn names_of_others_and_pages_of_others_are_refused() {
        use header::{HOST, ORIGIN};
        let guard = Guard::new(&["Models.example".into()], None);
        for host in ["localhost:80", "127.0.0.1:8080", "[::1]:1", "10.0.0.7", "models.EXAMPLE"] {
            assert_eq!(status(&guard, &[(HOST, host)]), 200, "{host}");
            let origin = format!("http://{host}");
            assert_eq!(status(&guard, &[(HOST, host), (ORIGIN, &origin)]), 200, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example"] {
            assert_eq!(status(&guard, &[(HOST, host)]), 421, "{host}");
        }
        assert_eq!(status(&guard, &[]), 400);
        assert_eq!(status(&guard, &[(HOST, "localhost"), (HOST, "localhost")]), 400);
        for origin in ["null", "http://evil.example", "http://localhost:81", "localhost:80", "é"] {
            let asked = [(HOST, "localhost:80"), (ORIGIN, origin)];
            assert_eq!(status(&guard, &asked), 403, "{origin}");
        }
    }

    #[test]
    fn a_token_must_be_shown_whole() {
        use header::{AUTHORIZATION, HOST};
        let guard = Guard::new(&[], Some("s3cret"));
        for (value, expected) in [
            ("Bearer s3cret", 200),
            ("bearer s3cret", 200),
            ("Bearer s3cre", 401),
            ("Basic s3cret", 401),
            ("Bearer", 401),
        ] {
            let asked = [(HOST, "localhost"), (AUTHORIZATION, value)];
            assert_eq!(status(&guard, &asked), expected, "{value}");
        }
        assert_eq!(status(&guard, &[(HOST, "localhost")]), 401);
    }
}
