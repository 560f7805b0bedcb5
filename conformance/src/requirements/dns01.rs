//! dns-01 (RFC 8555 §8.4).

use jose::base64url;

use super::http01::failed;
use crate::{World, ensure, test::Outcome, world::poll};

crate::tests! {
    "8555-8.4-1" => the_digest_below_the_name_validates;
    "8555-8.4-1" => anything_else_below_the_name_fails;
    "8555-8.4-2" => one_matching_record_among_several_suffices;
    "8555-8.4-2" => aliases_are_followed;
    "8555-8.4-3" => a_record_that_comes_late_is_found;
    "8555-11.2-1" => a_failing_dns_fails_the_validation;
}

async fn the_digest_below_the_name_validates(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "dns-01").await?;
    world.provision_dns(&account, &challenge).await?;
    let object = world.conclude(&account, &challenge).await?;
    ensure!(object["status"] == "valid", "the authorization is {object}");
    Ok(())
}

async fn anything_else_below_the_name_fails(world: &World) -> Outcome {
    for what in [
        "no record",
        "the key authorization",
        "hexadecimal",
        "padding",
        "upper case",
        "at the name itself",
    ] {
        let account = world.account().await?;
        let (_, challenge) = world.challenged(&account, "dns-01").await?;
        let digest = challenge.digest(&account);
        let right = base64url::encode(digest);
        let (host, value) = match what {
            "no record" => (challenge.txt_name(), None),
            "the key authorization" => (challenge.txt_name(), Some(account.key_authorization(&challenge.token))),
            "hexadecimal" => (
                challenge.txt_name(),
                Some(digest.map(|byte| format!("{byte:02x}")).concat()),
            ),
            "padding" => (challenge.txt_name(), Some(format!("{right}="))),
            "upper case" => (challenge.txt_name(), Some(right.to_ascii_uppercase())),
            _ => (challenge.value.clone(), Some(right)),
        };
        if let Some(value) = value {
            world.dns()?.add_txt(&host, &value).await?;
        } else {
            world.dns()?;
        }
        let object = world.conclude(&account, &challenge).await?;
        failed(&object, "dns-01", what, &["unauthorized", "incorrectResponse", "dns"])?;
    }
    Ok(())
}

async fn one_matching_record_among_several_suffices(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "dns-01").await?;
    let dns = world.dns()?;
    for other in ["something else", "v=spf1 -all"] {
        dns.add_txt(&challenge.txt_name(), other).await?;
    }
    world.provision_dns(&account, &challenge).await?;
    dns.add_txt(&challenge.txt_name(), &base64url::encode([7; 32])).await?;
    let object = world.conclude(&account, &challenge).await?;
    ensure!(object["status"] == "valid", "the authorization is {object}");
    Ok(())
}

async fn aliases_are_followed(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "dns-01").await?;
    let target = world.name("alias");
    world.dns()?.set_cname(&challenge.txt_name(), &target).await?;
    world
        .dns()?
        .add_txt(&target, &base64url::encode(challenge.digest(&account)))
        .await?;
    let object = world.conclude(&account, &challenge).await?;
    ensure!(
        object["status"] == "valid",
        "behind a CNAME the authorization is {object}"
    );
    Ok(())
}

async fn a_record_that_comes_late_is_found(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "dns-01").await?;
    let dns = world.dns()?;
    // Asked for before it is there, so that a cache could remember that it is not.
    dns.set_servfail(&challenge.txt_name()).await?;
    world.respond(&account, &challenge).await?.expect(200)?;
    let asked = async || dns.queries(&challenge.txt_name()).await;
    poll(asked, |queries| *queries > 0).await?;
    dns.clear_servfail(&challenge.txt_name()).await?;
    world.provision_dns(&account, &challenge).await?;
    let object = world.settled(&account, &challenge.authorization).await?;
    ensure!(object["status"] == "valid", "the authorization is {object}");
    Ok(())
}

async fn a_failing_dns_fails_the_validation(world: &World) -> Outcome {
    let account = world.account().await?;
    let (_, challenge) = world.challenged(&account, "dns-01").await?;
    world.provision_dns(&account, &challenge).await?;
    // What a validating resolver says of a bogus zone.
    world.dns()?.set_servfail(&challenge.txt_name()).await?;
    let object = world.conclude(&account, &challenge).await?;
    failed(&object, "dns-01", "SERVFAIL", &["dns"]).map(drop)
}
