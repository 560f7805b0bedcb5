//! Which services a response names.

use serde_json::{Map, Value};

use super::ports::{Ports, parse};
use crate::service::{Service, ServicePort};

/// Reads `service` and `port`, or `services` and `ports`; in the place of a service there may be an object that has both.
/// `None` where the response names nothing. `Err` says what is wrong, or why a port counts for nothing here.
pub fn read(payload: &Map<String, Value>, ports: &Ports) -> Result<Option<Vec<ServicePort>>, String> {
    read_with(payload, &|service| ports.usual(service), &|at| ports.judge(at))
}

/// As [`read`], for a proof that dials nothing: a service's registered port counts whether or not anybody would look there.
pub fn read_for_record(payload: &Map<String, Value>, ports: &Ports) -> Result<Option<Vec<ServicePort>>, String> {
    let usual = |service: Service| ports.usual(service).or_else(|| service.registered_port());
    let judge = |at: ServicePort| match at.service.registered_port() == Some(at.port) {
        true => Ok(()),
        false => ports.judge(at),
    };
    read_with(payload, &usual, &judge)
}

fn read_with(
    payload: &Map<String, Value>,
    usual: &dyn Fn(Service) -> Option<u16>,
    judge: &dyn Fn(ServicePort) -> Result<(), String>,
) -> Result<Option<Vec<ServicePort>>, String> {
    let pairs: Vec<(&Value, &Value)> = match (payload.get("service"), payload.get("services")) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err("\"service\" and \"services\" are both there; name one of them".to_owned()),
        (Some(service), None) => vec![(service, payload.get("port").unwrap_or(&Value::Null))],
        (None, Some(Value::Array(services))) if services.is_empty() => {
            return Err("\"services\" is empty; name one at least".to_owned());
        }
        (None, Some(Value::Array(services))) if services.len() > MOST => {
            return Err(format!(
                "\"services\" has {} members; {MOST} are the most",
                services.len()
            ));
        }
        (None, Some(Value::Array(services))) => match payload.get("ports") {
            None | Some(Value::Null) => services.iter().map(|service| (service, &Value::Null)).collect(),
            Some(Value::Array(numbers)) if numbers.len() == services.len() => services.iter().zip(numbers).collect(),
            Some(_) => return Err("\"ports\" is no array as long as \"services\"".to_owned()),
        },
        (None, Some(_)) => return Err("\"services\" is no array".to_owned()),
    };
    let mut named = Vec::with_capacity(pairs.len());
    for (service, port) in pairs {
        let at = match service {
            Value::Object(object) => one(object.get("service"), object.get("port"), usual)?,
            other => one(Some(other), Some(port), usual)?,
        };
        judge(at)?;
        if !named.contains(&at) {
            named.push(at);
        }
    }
    Ok(Some(named))
}

fn one(
    service: Option<&Value>,
    port: Option<&Value>,
    usual: &dyn Fn(Service) -> Option<u16>,
) -> Result<ServicePort, String> {
    let text = service.and_then(Value::as_str);
    let Some(service) = text.and_then(Service::from_name) else {
        let known: Vec<_> = Service::ALL.iter().map(|service| service.name()).collect();
        let known = known.join(", ");
        let seen = match text {
            Some(text) => format!("{:?} is no service", text.chars().take(32).collect::<String>()),
            None => "a service is missing, or no text".to_owned(),
        };
        return Err(format!("{seen}; the services are {known}"));
    };
    let port = match port {
        None | Some(Value::Null) => usual(service).ok_or_else(|| {
            format!("{service} has no registered port, and this server does not look at just one; name a \"port\"")
        })?,
        Some(port) => port
            .as_u64()
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port != 0)
            .ok_or_else(|| format!("the port of {service} is no number from 1 to 65535"))?,
    };
    Ok(ServicePort { service, port })
}

/// As it is kept until it is validated.
pub fn keep(named: &[ServicePort]) -> Value {
    named.iter().map(ToString::to_string).collect()
}

/// What was kept.
pub fn kept(value: &Value) -> Vec<ServicePort> {
    let texts = value.as_array().into_iter().flatten();
    texts.filter_map(|text| parse(text.as_str()?)).collect()
}

/// More than there are services and ports of any host.
const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_about_a_service_may_be_for_its_registered_port_where_nobody_looks() {
        let ports = Ports::new(&[], true, &BTreeMap::new()).unwrap();
        let sieve = vec![parse("sieve:4190").unwrap()];
        for payload in [
            json!({ "services": ["sieve"] }),
            json!({ "service": "sieve", "port": 4190 }),
        ] {
            let payload = payload.as_object().unwrap();
            assert!(read(payload, &ports).is_err(), "{payload:?}");
            assert_eq!(read_for_record(payload, &ports), Ok(Some(sieve.clone())));
        }
        let elsewhere = json!({ "service": "sieve", "port": 5000 });
        assert!(read_for_record(elsewhere.as_object().unwrap(), &ports).is_err());
    }

    fn named(payload: Value) -> Result<Option<Vec<String>>, String> {
        let ports = Ports::new(&["lmtp:24".into(), "imaps:1993".into()], true, &BTreeMap::new()).unwrap();
        let named = read(payload.as_object().unwrap(), &ports)?;
        if let Some(named) = &named {
            assert_eq!(&kept(&keep(named)), named);
        }
        Ok(named.map(|named| named.iter().map(ToString::to_string).collect()))
    }

    // ETLS-3-2, ETLS-3-3, ETLS-4-1
    #[test]
    fn a_service_has_its_registered_port_where_none_is_named_and_several_stand_in_arrays() {
        let given = |texts: &[&str]| Ok(Some(texts.iter().map(ToString::to_string).collect()));
        assert_eq!(named(json!({})), Ok(None));
        assert_eq!(named(json!({"service": "imaps"})), given(&["imaps:993"]));
        assert_eq!(named(json!({"service": "imaps", "port": 1993})), given(&["imaps:1993"]));
        assert_eq!(named(json!({"service": "lmtp"})), given(&["lmtp:24"]));
        let both = given(&["imap:143", "imaps:993"]);
        assert_eq!(named(json!({"services": ["imap", "imaps"]})), both);
        assert_eq!(named(json!({"services": ["imap", "imaps", "imap"]})), both);
        assert_eq!(
            named(json!({"services": ["imap", "imaps"], "ports": [143, null]})),
            both
        );
        let objects = json!({"services": [{"service": "imap"}, {"service": "imaps", "port": 993}]});
        assert_eq!(named(objects), both);
    }

    // ETLS-3-4
    #[test]
    fn what_old_clients_send_besides_is_ignored() {
        let payload = json!({"type": "dns-email-00", "service": "smtp", "port": 25, "keyAuthorization": "a.b"});
        assert_eq!(named(payload), Ok(Some(vec!["smtp:25".into()])));
    }

    // ETLS-3-3, ETLS-P-1
    #[test]
    fn what_is_no_service_or_no_port_is_refused_in_words() {
        for (payload, why) in [
            (json!({"service": "ftp"}), "no service"),
            (json!({"service": "IMAPS"}), "no service"),
            (json!({"service": 7}), "missing"),
            (json!({"service": "imaps", "port": "993"}), "no number"),
            (json!({"service": "imaps", "port": 0}), "no number"),
            (json!({"service": "imaps", "port": 65536}), "no number"),
            (
                json!({"service": "imaps", "port": 5000}),
                "no indication that the person controls the machine",
            ),
            (
                json!({"service": "lmtp", "port": 25}),
                "lmtp:25 is not looked at: LMTP is never spoken on port 25 (RFC 2033 §5); this server looks at lmtp:24",
            ),
            (
                json!({"service": "smtp", "port": 24}),
                "smtp:24 is not looked at: TCP port 24 is one of LMTP, which is asked by LHLO and must not answer EHLO",
            ),
            (json!({"service": "imap", "services": ["imap"]}), "both there"),
            (json!({"services": []}), "empty"),
            (json!({"services": "imap"}), "no array"),
            (json!({"services": ["imap"], "ports": []}), "as long as"),
            (json!({"services": [{"port": 993}]}), "missing"),
            (json!({"services": vec!["imap"; 17]}), "the most"),
        ] {
            let refusal = named(payload.clone()).unwrap_err();
            assert!(refusal.contains(why), "{payload}: {refusal}");
        }
    }
}
