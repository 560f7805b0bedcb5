//! The arrows between the parts, held against the manifests.
//!
//! A crate may name in `[dependencies]` and `[build-dependencies]` what its row allows, and nothing else of ours.
//! Tests may reach further: `[dev-dependencies]` are not judged.

use serde_json::Value;

use crate::run::{Outcome, cargo, output};

/// Documents: usable by anyone, without I/O, runtime or clock.
const DOCUMENTS: &[&str] = &["jose", "pkix", "stir", "tlog", "mail"];

/// Everything that has a row may also name [`DOCUMENTS`] and `acme`, unless it is one of them.
const ALLOWED: &[(&str, &[&str])] = &[
    ("acme", &["jose"]),
    ("authority", &["acme"]),
    ("validation", &["authority"]),
    ("issuance", &["authority"]),
    ("backend", &["authority", "client"]),
    ("storage", &["authority"]),
    ("config", &[]),
    ("server", &["authority", "config"]),
    ("admin", &["authority", "config"]),
    ("client", &[]),
    ("agent", &["client", "config"]),
    (EXTENSION, &["authority", "validation", "issuance", "server", "client"]),
    ("xtask", &[]),
];

/// The row of every crate below `extensions/`.
const EXTENSION: &str = "extensions/*";

/// An extension whose document builds on another's.
const BUILDS_ON: &[(&str, &str)] = &[("delegation", "star"), ("onion", "caa")];

/// Compositions: they may name every crate, and only each other may name them.
const COMPOSITIONS: &[&str] = &["cli", "conformance", "fuzz", "testbed"];

/// Crates of others that would bring I/O, a runtime or a database where there is none, with all `name-*`.
const IMPURE: &[&str] = &["tokio", "axum", "hyper", "sqlx", "rusqlite", "rustls"];

/// Where [`IMPURE`] is forbidden, beside the documents.
const PURE: &[&str] = &["acme", "authority"];

/// Reads the manifests and lists every arrow that should not be there.
pub fn check() -> Outcome {
    let metadata = output(&mut cargo(&["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let crates = crates(&metadata);
    let violations = violations(&crates);
    if violations.is_empty() {
        println!("{} crates keep to the arrows", crates.len());
        return Ok(());
    }
    Err(format!(
        "arrows that ARCHITECTURE.md does not have:\n  {}",
        violations.join("\n  ")
    ))
}

/// A crate of the workspace, with what its manifest names.
struct Crate<'m> {
    name: &'m str,
    is_extension: bool,
    dependencies: Vec<&'m str>,
}

fn crates(metadata: &Value) -> Vec<Crate<'_>> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter_map(|package| {
            let dependencies = package["dependencies"].as_array().into_iter().flatten();
            Some(Crate {
                name: package["name"].as_str()?,
                is_extension: package["manifest_path"].as_str()?.contains("/extensions/"),
                dependencies: dependencies
                    .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
                    .filter_map(|dependency| dependency["name"].as_str())
                    .collect(),
            })
        })
        .collect()
}

fn violations(crates: &[Crate<'_>]) -> Vec<String> {
    let mut violations = Vec::new();
    for from in crates {
        for to in &from.dependencies {
            let target = crates.iter().find(|other| other.name == *to);
            match target {
                Some(target) if !may_name(from, target) => violations.push(format!("{} -> {to}", from.name)),
                None if is_pure(from.name) && is_impure(to) => {
                    violations.push(format!("{} -> {to}, which is not pure", from.name));
                }
                _ => {}
            }
        }
    }
    violations
}

fn may_name(from: &Crate<'_>, to: &Crate<'_>) -> bool {
    if COMPOSITIONS.contains(&from.name) {
        return true;
    }
    if from.is_extension && to.is_extension {
        return BUILDS_ON.contains(&(from.name, to.name));
    }
    let row = if from.is_extension { EXTENSION } else { from.name };
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == row) else {
        // A document, or a crate that has no row yet and must get one.
        return false;
    };
    let vocabulary = to.name == "acme" || DOCUMENTS.contains(&to.name);
    let takes_vocabulary = !matches!(from.name, "acme" | "config" | "xtask");
    allowed.contains(&to.name) || (vocabulary && takes_vocabulary)
}

fn is_pure(name: &str) -> bool {
    DOCUMENTS.contains(&name) || PURE.contains(&name)
}

fn is_impure(name: &str) -> bool {
    let family = name.split('-').next().unwrap_or(name);
    IMPURE.contains(&family)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A workspace of crates with their dependencies; `ext:` marks an extension, `dev:` a dependency for tests.
    fn check(workspace: &[(&str, &[&str])]) -> Vec<String> {
        let packages = workspace.iter().map(|(name, dependencies)| {
            let folder = if name.starts_with("ext:") {
                "extensions"
            } else {
                "crates"
            };
            let name = name.trim_start_matches("ext:");
            let dependencies = dependencies
                .iter()
                .map(|dependency| match dependency.strip_prefix("dev:") {
                    Some(name) => json!({ "name": name, "kind": "dev" }),
                    None => json!({ "name": dependency, "kind": null }),
                });
            json!({
                "name": name,
                "manifest_path": format!("/w/{folder}/{name}/Cargo.toml"),
                "dependencies": dependencies.collect::<Vec<_>>(),
            })
        });
        let metadata = json!({ "packages": packages.collect::<Vec<_>>() });
        violations(&crates(&metadata))
    }

    #[test]
    fn arrows_of_the_design_are_allowed() {
        let workspace: &[(&str, &[&str])] = &[
            ("jose", &["serde"]),
            ("pkix", &[]),
            ("acme", &["jose"]),
            ("config", &["toml"]),
            ("authority", &["acme", "jose", "pkix", "dev:tokio"]),
            ("storage", &["authority", "acme", "tokio", "dev:server"]),
            (
                "server",
                &["authority", "acme", "jose", "config", "axum", "dev:storage"],
            ),
            ("ext:star", &["authority", "client"]),
            ("ext:delegation", &["star", "server"]),
            ("cli", &["server", "storage", "star", "testbed"]),
            ("testbed", &["server"]),
        ];
        assert_eq!(check(workspace), Vec::<String>::new());
    }

    #[test]
    fn arrows_back_and_sideways_are_found() {
        let others: &[(&str, &[&str])] = &[
            ("jose", &[]),
            ("acme", &[]),
            ("storage", &[]),
            ("server", &[]),
            ("testbed", &[]),
            ("ext:ip", &[]),
            ("ext:star", &[]),
            ("unheard-of", &[]),
        ];
        for (from, to) in [
            ("jose", "acme"),
            ("acme", "server"),
            ("server", "storage"),
            ("storage", "server"),
            ("ext:ip", "star"),
            ("ext:ip", "storage"),
            ("server", "testbed"),
            ("server", "ip"),
            ("unheard-of", "jose"),
        ] {
            let workspace: Vec<(&str, &[&str])> = others
                .iter()
                .map(|(name, none)| {
                    (
                        *name,
                        if *name == from {
                            std::slice::from_ref(&to)
                        } else {
                            *none
                        },
                    )
                })
                .collect();
            assert_eq!(
                check(&workspace),
                [format!("{} -> {to}", from.trim_start_matches("ext:"))]
            );
        }
    }

    #[test]
    fn the_pure_crates_name_no_runtime_and_no_database() {
        for outside in [
            "tokio",
            "tokio-rustls",
            "hyper-util",
            "axum",
            "rusqlite",
            "sqlx",
            "rustls",
        ] {
            assert_eq!(
                check(&[("authority", &[outside])]),
                [format!("authority -> {outside}, which is not pure")]
            );
            assert_eq!(check(&[("jose", &[outside])]).len(), 1);
            assert_eq!(check(&[("storage", &[outside])]).len(), 0);
        }
    }
}
