//! `vidimus cert revoke`

use std::{fmt, fs, path::Path, process::ExitCode};

use jose::SigningKey;
use pkix::certificate::Certificate;
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    Output,
    args::{RevokeArgs, TrustArgs},
    show, until_interrupted,
};
use crate::{account::revoke_with_certificate_key, accounts, chain, error::Error, store::Store};

pub(super) async fn run(args: RevokeArgs, out: &mut Output) -> ExitCode {
    match until_interrupted(revoke(&args)).await {
        Ok(serial) => {
            match args.place.json {
                true => out.json("revoked", json!({"serial": serial, "name": args.name})),
                false => out.result(&format!("revoked {serial}")),
            }
            if args.name.is_some() {
                out.note("its files are still there: order another with `vidimus cert issue`");
            }
            ExitCode::SUCCESS
        }
        Err(error) => out.failed(&error, args.place.json),
    }
}

async fn revoke(args: &RevokeArgs) -> Result<String, Error> {
    let store = args.place.store()?;
    let (certificate, server, trust) = which(args, &store)?;
    let directory = trust.directory(&server)?;
    match &args.key {
        Some(path) => {
            let key = read_key(path)?;
            revoke_with_certificate_key(&directory, &key, certificate.der(), args.reason).await?;
        }
        None => {
            let account = accounts::existing(&store, &directory).await?;
            let none =
                || format!("there is no account at {server} in this folder: give the certificate's key as --key");
            account
                .ok_or_else(|| Error::Input(none()))?
                .revoke(certificate.der(), args.reason)
                .await?;
        }
    }
    if let Some(name) = &args.name {
        store.ask_again(name)?;
    }
    Ok(certificate.serial().to_string())
}

/// The certificate, and from whom it was ordered.
fn which(args: &RevokeArgs, store: &Store) -> Result<(Certificate, String, TrustArgs), Error> {
    if let Some(path) = &args.cert {
        let content = fs::read(path).map_err(|error| unusable(path, &error))?;
        let der = chain::bundle(&content)
            .map_err(|error| unusable(path, &error))?
            .swap_remove(0);
        let certificate = Certificate::parse(&der).map_err(|error| unusable(path, &error))?;
        let server = args
            .server
            .clone()
            .ok_or_else(|| Error::Input("give the CA's directory as --server".to_owned()))?;
        return Ok((certificate, server, args.trust.clone()));
    }
    let name = args
        .name
        .as_ref()
        .ok_or_else(|| Error::Input("name the certificate, or give --cert".to_owned()))?;
    let stored = show::find(store, name)?;
    let mut trust = args.trust.clone();
    let server = match (args.server.clone(), stored.settings) {
        (Some(server), _) => server,
        (None, Some(settings)) => {
            trust.ca_bundle = trust.ca_bundle.or(settings.ca_bundle);
            trust.allow_http |= settings.allow_http;
            settings.server
        }
        (None, None) => {
            return Err(Error::Input(format!(
                "it is not known where {name} was ordered: give --server"
            )));
        }
    };
    Ok((stored.leaf, server, trust))
}

fn read_key(path: &Path) -> Result<SigningKey, Error> {
    let pem = Zeroizing::new(fs::read_to_string(path).map_err(|error| unusable(path, &error))?);
    SigningKey::from_pkcs8_pem(&pem).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, why: &dyn fmt::Display) -> Error {
    Error::Input(format!("{} cannot be used: {why}", path.display()))
}
