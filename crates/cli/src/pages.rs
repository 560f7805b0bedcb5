//! Pages of the documentation that are made from the code.

use std::{
    collections::BTreeMap,
    fmt::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use authority::identifier::{Dns, Page};
use clap::Args;

use crate::{
    extensions::{Added, Context, EXTENSIONS},
    files, world,
};

/// `vidimus pages DIR`: for `cargo xtask docs`.
#[derive(Args)]
pub struct Pages {
    /// The documentation's folder.
    dir: PathBuf,
}

impl Pages {
    pub fn run(self) -> Result<(), String> {
        let pages = [
            ("operating/configuration.md", config::page()),
            ("protocol/identifiers.md", identifiers()?),
        ];
        for (name, text) in pages {
            let file = self.dir.join(name);
            if let Some(folder) = file.parent() {
                files::make_folder(folder)?;
            }
            files::write(&file, &text)?;
        }
        Ok(())
    }
}

/// Every identifier type, as its own file states it.
fn identifiers() -> Result<String, String> {
    let mut added = Added::default();
    added.registry.add_identifier_type(Dns);
    // Asks nobody: what is described is what an extension says of itself.
    let settings = validation::Settings {
        resolvers: vec![SocketAddr::from(([127, 0, 0, 1], 53))],
        ..Default::default()
    };
    let network = validation::network(settings, Arc::new(world::now)).map_err(|error| error.to_string())?;
    let context = Context {
        settings: toml::Table::new(),
        external_url: "https://ca.example",
        network: Arc::new(network),
        caa_identities: &["ca.example".to_owned()],
        profiles: &BTreeMap::from([("mail".to_owned(), String::new())]),
        only_looks: false,
        account_url: Arc::new(|_| String::new()),
        order_lifetime: std::time::Duration::ZERO,
        folder: Path::new("."),
        resolvers: &[],
    };
    for extension in EXTENSIONS {
        (extension.register)(&mut added, &context)?;
    }
    let mut text = String::from(HEADER);
    for identifier_type in added.registry.identifier_types() {
        let Page {
            kind,
            document,
            grammar,
            canonical,
            equality,
            wildcard,
            certificate,
            csr,
            examples,
            refused,
        } = identifier_type.page();
        let list = |values: &[&str]| {
            values
                .iter()
                .map(|value| format!("`{value}`"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let _ = write!(
            text,
            "\n## `{kind}` ({document})\n\n| | |\n|---|---|\n| grammar | {grammar} |\n| canonical form | {canonical} |\n\
             | equality | {equality} |\n| wildcard | {wildcard} |\n| in the certificate | {certificate} |\n| in the CSR | {csr} |\n\
             | admitted | {} |\n| refused | {} |\n",
            list(examples),
            list(refused),
        );
    }
    Ok(text)
}

const HEADER: &str = "\
# Identifier types

Each type is one file that states all of this; the page is generated from it (`cargo xtask docs`). A `*` has the meaning that its
type gives it, or none: it never gets DNS meaning in another type.
";
