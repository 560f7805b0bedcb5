//! Whom a domain lets issue (RFC 8659, RFC 8657).

use pkix::key::KeyPair;
use serde_json::Value;

use crate::{
    World, craft,
    dns::DnsControl,
    ensure, not_applicable,
    test::Outcome,
    world::{Account, Order},
};

crate::tests! {
    "8659-3-1", "8659-4-2", "8659-4-4", "8659-4-5" => a_domain_that_permits_nobody_gets_nothing_until_it_permits;
    "8659-3-1" => the_nearest_records_decide;
    "8659-3-1" => records_behind_an_alias_count_and_those_above_it_do_not;
    "8659-4-1", "T11" => wildcards_have_properties_of_their_own;
    "8659-4.1-1" => a_critical_property_nobody_knows_forbids;
    "8659-4-3" => a_failing_dns_forbids;
    "8657-3-1", "8657-4-3" => accounts_are_compared_to_the_letter;
    "8657-4-1" => the_method_that_was_used_is_looked_for;
    "T1" => every_name_of_an_order_is_asked_about;
}

/// The name by which records mean this authority.
fn identity(world: &World) -> Outcome<String> {
    world.dns()?;
    match world.directory["meta"]["caaIdentities"][0].as_str() {
        Some(identity) => Ok(identity.to_owned()),
        None => not_applicable!("the directory's meta has no caaIdentities"),
    }
}

/// Finalizes and gives back the problem, which says where the refusal belongs; the order is as it was.
async fn refused(world: &World, account: &Account, order: &Order, names: &[&str], kinds: &[&str]) -> Outcome<Value> {
    let csr = craft::csr_for(&KeyPair::generate_p256(), names);
    let problem = world.finalize(account, order, &csr).await?.refused_with(403, kinds)?;
    let after = world.reread(account, order).await?;
    ensure!(
        after.status() == "ready",
        "after a refusal the order is: {}",
        after.body
    );
    Ok(problem)
}

async fn issued(world: &World, account: &Account, order: Order, names: &[&str]) -> Outcome {
    let key = KeyPair::generate_p256();
    let csr = craft::csr_for(&key, names);
    world.complete(account, order, key, csr).await.map(drop)
}

async fn a_domain_that_permits_nobody_gets_nothing_until_it_permits(world: &World) -> Outcome {
    let identity = identity(world)?;
    let (account, zone) = (world.account().await?, world.name("caa"));
    let (name, other) = (format!("www.{zone}"), world.name("free"));
    let names = [name.as_str(), other.as_str()];
    let order = world.ready(&account, &names).await?;
    for value in [";", "", "other.example", "%%%%%", &format!("{identity}.")] {
        world.dns()?.add_caa(&zone, "issue", value).await?;
        let problem = refused(world, &account, &order, &names, &["caa"]).await?;
        let about = &problem["subproblems"][0]["identifier"]["value"];
        ensure!(*about == name, "the subproblem is not about {name}: {problem}");
        world.dns()?.clear_caa(&zone).await?;
    }
    world.dns()?.add_caa(&zone, "issue", ";").await?;
    world
        .dns()?
        .add_caa(&zone, "ISSUE", &identity.to_ascii_uppercase())
        .await?;
    issued(world, &account, order, &names).await
}

async fn the_nearest_records_decide(world: &World) -> Outcome {
    let identity = identity(world)?;
    let (account, zone) = (world.account().await?, world.name("caa"));
    let (name, near) = (format!("a.b.{zone}"), format!("b.{zone}"));
    let order = world.ready(&account, &[&name]).await?;
    world.dns()?.add_caa(&zone, "issue", &identity).await?;
    world.dns()?.add_caa(&near, "issue", ";").await?;
    refused(world, &account, &order, &[&name], &["caa"]).await?;
    world.dns()?.clear_caa(&near).await?;
    world.dns()?.clear_caa(&zone).await?;
    world.dns()?.add_caa(&zone, "issue", ";").await?;
    world.dns()?.add_caa(&near, "iodef", "mailto:you@example.test").await?;
    issued(world, &account, order, &[&name]).await
}

async fn records_behind_an_alias_count_and_those_above_it_do_not(world: &World) -> Outcome {
    identity(world)?;
    let (account, name, zone) = (world.account().await?, world.name("alias"), world.name("target"));
    let target = format!("host.{zone}");
    let order = world.ready(&account, &[&name]).await?;
    world.dns()?.set_cname(&name, &target).await?;
    world.dns()?.add_caa(&target, "issue", ";").await?;
    refused(world, &account, &order, &[&name], &["caa"]).await?;
    world.dns()?.clear_caa(&target).await?;
    world.dns()?.add_caa(&zone, "issue", ";").await?;
    issued(world, &account, order, &[&name]).await
}

async fn wildcards_have_properties_of_their_own(world: &World) -> Outcome {
    let identity = identity(world)?;
    let account = world.account().await?;
    for (issue, issuewild, name_permitted, wildcard_permitted) in [
        (Some(identity.as_str()), Some(";"), true, false),
        (Some(";"), Some(identity.as_str()), false, true),
        (Some(";"), None, false, false),
        (None, Some(";"), true, false),
    ] {
        let zone = world.name("caa");
        let wildcard = format!("*.{zone}");
        for (name, permitted) in [(&zone, name_permitted), (&wildcard, wildcard_permitted)] {
            world.dns()?.clear_caa(&zone).await?;
            let order = world.ready(&account, &[name]).await?;
            for (tag, value) in [("issue", issue), ("issuewild", issuewild)] {
                if let Some(value) = value {
                    world.dns()?.add_caa(&zone, tag, value).await?;
                }
            }
            match permitted {
                true => issued(world, &account, order, &[name]).await?,
                false => drop(refused(world, &account, &order, &[name], &["caa"]).await?),
            }
        }
    }
    Ok(())
}

async fn a_critical_property_nobody_knows_forbids(world: &World) -> Outcome {
    let identity = identity(world)?;
    let (account, name) = (world.account().await?, world.name("caa"));
    let order = world.ready(&account, &[&name]).await?;
    let dns: &DnsControl = world.dns()?;
    dns.add_caa(&name, "issue", &identity).await?;
    dns.add_caa_flagged(&name, 128, "tbs", "Unknown").await?;
    refused(world, &account, &order, &[&name], &["caa"]).await?;
    dns.clear_caa(&name).await?;
    // The other bits are reserved, and known tags may be critical.
    dns.add_caa_flagged(&name, 1, "tbs", "Unknown").await?;
    dns.add_caa_flagged(&name, 128, "issue", &identity).await?;
    issued(world, &account, order, &[&name]).await
}

async fn a_failing_dns_forbids(world: &World) -> Outcome {
    let identity = identity(world)?;
    let (account, zone) = (world.account().await?, world.name("caa"));
    let (name, middle) = (format!("a.b.{zone}"), format!("b.{zone}"));
    let order = world.ready(&account, &[&name]).await?;
    world.dns()?.add_caa(&zone, "issue", &identity).await?;
    world.dns()?.set_servfail(&middle).await?;
    refused(world, &account, &order, &[&name], &["dns", "caa"]).await?;
    world.dns()?.clear_servfail(&middle).await?;
    issued(world, &account, order, &[&name]).await
}

async fn accounts_are_compared_to_the_letter(world: &World) -> Outcome {
    let identity = identity(world)?;
    let (account, name) = (world.account().await?, world.name("caa"));
    let order = world.ready(&account, &[&name]).await?;
    let (mine, stranger) = (&account.url, world.account().await?.url);
    let permits = |url: &str| format!("{identity}; accounturi={url}");
    let twice = format!("{}; accounturi={mine}", permits(mine));
    for value in [permits(&stranger), permits(&format!("{mine}/")), permits(""), twice] {
        world.dns()?.add_caa(&name, "issue", &value).await?;
        refused(world, &account, &order, &[&name], &["caa"]).await?;
    }
    // Each property stands alone: this one makes good for all those.
    world.dns()?.add_caa(&name, "issue", &permits(mine)).await?;
    issued(world, &account, order, &[&name]).await
}

async fn the_method_that_was_used_is_looked_for(world: &World) -> Outcome {
    let identity = identity(world)?;
    let (account, name) = (world.account().await?, world.name("caa"));
    let order = world.ready(&account, &[&name]).await?;
    let authorization = world.read_json(&account, &order.authorizations()[0]).await?;
    let Some(used) = authorization["challenges"][0]["type"].as_str() else {
        not_applicable!("a valid authorization does not show how it became so: {authorization}");
    };
    for list in ["", "ca-other-01", "x-01,y-01"] {
        let value = format!("{identity}; validationmethods={list}");
        world.dns()?.add_caa(&name, "issue", &value).await?;
        refused(world, &account, &order, &[&name], &["caa"]).await?;
    }
    let value = format!("{identity}; validationmethods=x-01,{used}");
    world.dns()?.add_caa(&name, "issue", &value).await?;
    issued(world, &account, order, &[&name]).await
}

async fn every_name_of_an_order_is_asked_about(world: &World) -> Outcome {
    identity(world)?;
    let account = world.account().await?;
    let names = [1, 2, 3, 4].map(|n| world.name(&format!("caa{n}")));
    let names = names.each_ref().map(String::as_str);
    let order = world.ready(&account, &names).await?;
    for forbidden in names {
        world.dns()?.add_caa(forbidden, "issue", ";").await?;
        let problem = refused(world, &account, &order, &names, &["caa"]).await?;
        let about = &problem["subproblems"][0]["identifier"]["value"];
        ensure!(about == forbidden, "{forbidden} forbids, and the problem is {problem}");
        world.dns()?.clear_caa(forbidden).await?;
    }
    issued(world, &account, order, &names).await
}
