//! notBefore and notAfter of an order (RFC 8555 §7.4).

use jiff::{SignedDuration, Timestamp};
use pkix::{certificate::Certificate, key::KeyPair};
use serde_json::{Value, json};

use crate::{
    World, craft, ensure, not_applicable,
    test::Outcome,
    world::{Account, Order},
};

crate::tests! {
    "8555-7.4-5", "8555-7.4-4" => dates_are_given_to_the_second_whatever_their_offset;
    "8555-7.4-4" => one_date_alone_is_given_as_well;
    "8555-7.4-4" => dates_that_make_no_sense_are_refused;
    "8555-7.4-4" => dates_beyond_what_is_usual_are_given_or_refused;
    "8555-7.4-5" => dates_in_no_form_of_rfc_3339_are_malformed;
}

/// What the clock of the server shows, within seconds.
async fn now(world: &World) -> Outcome<Timestamp> {
    let answer = world.get(http::Method::GET, &world.options.directory).await?;
    let date = answer.header("date").unwrap_or_default();
    match jiff::fmt::rfc2822::parse(date) {
        Ok(date) => Ok(date.timestamp()),
        Err(_) => not_applicable!("the server does not say what time it is"),
    }
}

/// newOrder for a new name with these members; the order, or what was refused.
async fn order(world: &World, account: &Account, members: Value) -> Outcome<Option<(String, Order)>> {
    let name = world.name("dates");
    let mut request = json!({ "identifiers": [{ "type": "dns", "value": name }] });
    for (member, value) in members.as_object().into_iter().flatten() {
        request[member] = value.clone();
    }
    let answer = world.post(account, &world.resource("newOrder")?, &request).await?;
    if !answer.is_success() {
        answer.refused(&["malformed", "rejectedIdentifier", "unauthorized"])?;
        return Ok(None);
    }
    let order = Order {
        url: answer.location()?,
        body: answer.json()?,
    };
    Ok(Some((name, order)))
}

/// Finishes an order, and demands that its certificate has these dates as the order has.
async fn finish(world: &World, account: &Account, name: &str, order: Order, dates: &[(&str, Timestamp)]) -> Outcome {
    for (member, asked) in dates {
        let shown = order.body[member].as_str().unwrap_or_default();
        let same = shown
            .parse::<Timestamp>()
            .is_ok_and(|shown| shown.as_second() == asked.as_second());
        ensure!(
            same && shown.ends_with('Z'),
            "{asked} was asked for, and the order's {member} is {}",
            order.body[member]
        );
    }
    let order = world.make_ready(account, order).await?;
    let key = KeyPair::generate_p256();
    let csr = craft::csr_for(&key, &[name]);
    let issued = world.complete(account, order, key, csr).await?;
    let certificate = Certificate::parse(&issued.chain[0])?;
    for (member, asked) in dates {
        let given = match *member {
            "notBefore" => certificate.not_before(),
            _ => certificate.not_after(),
        };
        ensure!(
            given.as_second() == asked.as_second(),
            "{member} was to be {asked}, and is {given} in the certificate"
        );
    }
    Ok(())
}

/// As a clock `hours` ahead of UTC has it, with a fraction of a second.
fn with_offset(time: Timestamp, hours: i8) -> String {
    let offset = jiff::tz::Offset::constant(hours);
    let local = offset.to_datetime(time).strftime("%Y-%m-%dT%H:%M:%S").to_string();
    format!("{local}.25{}{:02}:00", if hours < 0 { '-' } else { '+' }, hours.abs())
}

async fn dates_are_given_to_the_second_whatever_their_offset(world: &World) -> Outcome {
    let account = world.account().await?;
    let now = now(world).await?;
    let from = now + SignedDuration::from_mins(90);
    let to = now + SignedDuration::from_hours(49);
    let asked = json!({ "notBefore": with_offset(from, 4), "notAfter": with_offset(to, -11) });
    let Some((name, order)) = order(world, &account, asked).await? else {
        not_applicable!("the server takes no dates");
    };
    finish(world, &account, &name, order, &[("notBefore", from), ("notAfter", to)]).await
}

async fn one_date_alone_is_given_as_well(world: &World) -> Outcome {
    let account = world.account().await?;
    let now = now(world).await?;
    let mut taken = 0;
    for (member, time) in [
        ("notBefore", now + SignedDuration::from_hours(1)),
        ("notAfter", now + SignedDuration::from_hours(26)),
    ] {
        let asked = json!({ member: time.to_string() });
        if let Some((name, order)) = order(world, &account, asked).await? {
            ensure!(
                order.body.as_object().is_some_and(|order| order.contains_key(member)),
                "the order does not show what it was asked for: {}",
                order.body
            );
            finish(world, &account, &name, order, &[(member, time)]).await?;
            taken += 1;
        }
    }
    if taken == 0 {
        not_applicable!("the server takes no dates");
    }
    Ok(())
}

async fn dates_that_make_no_sense_are_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let now = now(world).await?;
    let at = |hours| (now + SignedDuration::from_hours(hours)).to_string();
    for asked in [
        json!({ "notBefore": at(30), "notAfter": at(29) }),
        json!({ "notBefore": at(30), "notAfter": at(30) }),
        json!({ "notBefore": at(-3), "notAfter": at(-2) }),
        json!({ "notAfter": at(-1) }),
        json!({ "notAfter": "1969-12-31T23:59:59Z" }),
    ] {
        let ordered = order(world, &account, asked.clone()).await?;
        ensure!(ordered.is_none(), "an order for {asked} is made");
    }
    Ok(())
}

async fn dates_beyond_what_is_usual_are_given_or_refused(world: &World) -> Outcome {
    let account = world.account().await?;
    let now = now(world).await?;
    let day = 24;
    for (from, to) in [
        (-365 * day, day),
        (400 * day, 401 * day),
        (1, 3660 * day),
        (1, 36600 * day),
    ] {
        let at = |hours| now + SignedDuration::from_hours(hours);
        let dates = [("notBefore", at(from)), ("notAfter", at(to))];
        let asked = json!({ "notBefore": at(from).to_string(), "notAfter": at(to).to_string() });
        if let Some((name, order)) = order(world, &account, asked).await? {
            finish(world, &account, &name, order, &dates).await?;
        }
    }
    let end = "9999-12-30T00:00:00Z".parse()?;
    if let Some((name, order)) = order(world, &account, json!({ "notAfter": end })).await? {
        finish(world, &account, &name, order, &[("notAfter", end)]).await?;
    }
    Ok(())
}

async fn dates_in_no_form_of_rfc_3339_are_malformed(world: &World) -> Outcome {
    let account = world.account().await?;
    let year = now(world).await?.strftime("%Y").to_string().parse::<u32>()? + 1;
    for wrong in [
        json!(""),
        json!("tomorrow"),
        json!(format!("{year}-01-01")),
        json!(format!("{year}-01-01T00:00:00")),
        json!(format!("{year}-13-01T00:00:00Z")),
        json!(format!("{year}-02-30T00:00:00Z")),
        json!(format!("{year}-01-01T25:00:00Z")),
        json!(format!("{year}-01-01T00:00:00Z[Europe/Berlin]")),
        json!(format!("{year}-01-01T00:00:00+01:00:01Z")),
        json!(format!("{year}0101T000000Z")),
        json!(1_893_456_000),
        json!([]),
        json!({}),
        json!(true),
    ] {
        for member in ["notBefore", "notAfter"] {
            let request = json!({ "identifiers": [{ "type": "dns", "value": world.name("dates") }], member: wrong });
            let answer = world.post(&account, &world.resource("newOrder")?, &request).await?;
            ensure!(!answer.is_success(), "an order with {member} {wrong} is made");
            answer.refused(&["malformed"])?;
        }
    }
    Ok(())
}
