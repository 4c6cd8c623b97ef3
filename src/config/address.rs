//! Where a target is reached: the text of `address` in `targets.toml` and on the command line.

use std::net::IpAddr;
use std::str::FromStr;

/// `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`; the port is 22 if unsaid.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = "an address is a host name or IP address, and a port unless it is 22";
        if text.matches(':').count() > 1 && !text.starts_with('[') {
            return Err("an IPv6 address stands in brackets, as in \"[2001:db8::1]:22\"".to_owned());
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(wrong)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| "what stands in brackets is an IPv6 address")?;
                (host, port.strip_prefix(':').or(port.is_empty().then_some("22")).ok_or(wrong)?)
            }
            None => text.split_once(':').unwrap_or((text, "22")),
        };
        let named = super::settings::host_name(&host.to_ascii_lowercase()).is_ok();
        if !named && host.parse::<IpAddr>().is_err() {
            return Err(wrong.to_owned());
        }
        match port.parse::<u16>() {
            Ok(port) if port > 0 => Ok(Self { host: host.to_owned(), port }),
            _ => Err("a port is a number from 1 to 65535".to_owned()),
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port_and_comes_back_as_it_went() {
        let rows = [
            ("10.0.0.11", Some("10.0.0.11:22")),
            ("10.0.0.11:2222", Some("10.0.0.11:2222")),
            ("web-1.example.com", Some("web-1.example.com:22")),
            ("[2001:db8::1]", Some("[2001:db8::1]:22")),
            ("[::1]:2222", Some("[::1]:2222")),
            ("::1", None),
            ("[::1", None),
            ("[::1]2222", None),
            ("[10.0.0.1]", None),
            ("", None),
            (":22", None),
            ("web:", None),
            ("web:0", None),
            ("web:65536", None),
            ("-oProxyCommand=x", None),
            ("a b", None),
            ("user@web", None),
        ];
        for (text, shown) in rows {
            let parsed = text.parse::<Address>().ok().map(|address| address.to_string());
            assert_eq!(parsed.as_deref(), shown, "{text:?}");
        }
    }
}
