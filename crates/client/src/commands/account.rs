//! `vidimus account …`

use std::{process::ExitCode, time::Duration};

use serde_json::{Value, json};

use super::{
    Output,
    args::{AccountArgs, AccountKeyArgs, AccountUpdateArgs},
    until_interrupted,
};
use crate::{
    account::Account,
    accounts,
    clock::SystemClock,
    contact::Contact,
    error::Error,
    printable::printable,
    store::{Lock, Store},
};

pub(super) async fn show(args: AccountArgs, out: &mut Output) -> ExitCode {
    let work = async {
        let opened = open(&args).await?;
        let object = opened.account.read().await?;
        Ok(described(&opened.account, &object))
    };
    report(until_interrupted(work).await, &args, out)
}

pub(super) async fn update(args: AccountUpdateArgs, out: &mut Output) -> ExitCode {
    let work = async {
        let opened = open(&args.account).await?;
        let object = opened.account.update(&args.contact).await?;
        let folder = opened.store.account(opened.account.directory().url());
        if let Some(mut record) = folder.record()? {
            record.contacts = args.contact.iter().map(Contact::to_string).collect();
            folder.save(&record)?;
        }
        Ok(described(&opened.account, &object))
    };
    report(until_interrupted(work).await, &args.account, out)
}

pub(super) async fn change_key(args: AccountKeyArgs, out: &mut Output) -> ExitCode {
    let work = async {
        let opened = open(&args.account).await?;
        let changed = accounts::change_key(&opened.store, &opened.account, args.account_key_type).await?;
        let object = changed.read().await?;
        Ok(described(&changed, &object))
    };
    report(until_interrupted(work).await, &args.account, out)
}

pub(super) async fn deactivate(args: AccountArgs, out: &mut Output) -> ExitCode {
    let work = async {
        let opened = open(&args).await?;
        let object = opened.account.deactivate().await?;
        opened.store.account(opened.account.directory().url()).retire()?;
        Ok(described(&opened.account, &object))
    };
    report(until_interrupted(work).await, &args, out)
}

struct Opened {
    store: Store,
    account: Account,
    _lock: Lock,
}

async fn open(args: &AccountArgs) -> Result<Opened, Error> {
    let store = args.place.store()?;
    let directory = args.server.trust.directory(&args.server.server)?;
    let lock_name = store.account(directory.url()).lock_name();
    let lock = store.lock(&lock_name, LOCK_WAIT, &SystemClock, |_| ()).await?;
    let account = accounts::existing(&store, &directory).await?;
    let none = || Error::Input(format!("there is no account at {} in this folder", args.server.server));
    Ok(Opened {
        store,
        account: account.ok_or_else(none)?,
        _lock: lock,
    })
}

fn described(account: &Account, object: &acme::Account) -> Value {
    json!({
        "url": account.url(),
        "server": account.directory().url(),
        "status": object.status,
        "contact": object.contact,
        "termsOfServiceAgreed": object.terms_of_service_agreed,
        "thumbprint": account.thumbprint().to_string(),
    })
}

fn report(outcome: Result<Value, Error>, args: &AccountArgs, out: &Output) -> ExitCode {
    let account = match outcome {
        Ok(account) => account,
        Err(error) => return out.failed(&error, args.place.json),
    };
    if args.place.json {
        out.json("account", account);
        return ExitCode::SUCCESS;
    }
    for what in ["url", "status", "contact", "thumbprint"] {
        let value = match &account[what] {
            Value::String(text) => text.clone(),
            Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
            other => other.to_string(),
        };
        out.result(&format!("{what:<12}{}", printable(&value)));
    }
    ExitCode::SUCCESS
}

const LOCK_WAIT: Duration = Duration::from_secs(60);
