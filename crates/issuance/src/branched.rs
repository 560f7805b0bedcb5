//! One issuing CA under several roots, each by a chain of its own: what clients that choose among chains are tested with.

use jiff::Timestamp;
use pkix::{key::KeyPair, name::DistinguishedName};

use crate::{
    HierarchyError,
    hierarchy::{Signer, Wanted, end},
    profile::ca_extensions,
};

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// At least one is made.
    pub roots: usize,
    /// Between a root and the certificates that are issued; at least one is made.
    pub intermediates: usize,
    /// Keys of RSA with 2048 bits; of P-256 otherwise.
    pub rsa: bool,
}

/// The issuing CA with all that is above it.
pub struct Branched {
    pub issuing_key: KeyPair,
    /// One a root.
    pub branches: Vec<Branch>,
}

/// The way from the issuing CA to one root.
pub struct Branch {
    /// DER.
    pub root: Vec<u8>,
    pub root_key: KeyPair,
    /// DER; the issuing CA's certificate under this root comes first, and the root is left out.
    pub intermediates: Vec<Vec<u8>>,
}

/// Every certificate lasts thirty years. `random` becomes serials and the labels that tell certificates apart.
pub fn create_branched(
    shape: Shape,
    mut random: impl FnMut() -> [u8; 19],
    now: Timestamp,
) -> Result<Branched, HierarchyError> {
    let maker = Maker {
        rsa: shape.rsa,
        now,
        not_after: end(now, YEARS)?,
    };
    let issuing = Authority {
        name: name("Issuing CA", &label(random()))?,
        key: maker.key(),
    };
    let mut branches = Vec::with_capacity(shape.roots.max(1));
    for _ in 0..shape.roots.max(1) {
        let label = label(random());
        let root = Authority {
            name: name("Root", &label)?,
            key: maker.key(),
        };
        let root_certificate = maker.certify(&root, &root, None, random())?;
        let mut above = root;
        let mut intermediates = Vec::with_capacity(shape.intermediates.max(1));
        let mut root_key = None;
        // From below the root down to what is above the issuing CA.
        for number in (1..shape.intermediates).rev() {
            let intermediate = Authority {
                name: name(&format!("Intermediate CA {number} of"), &label)?,
                key: maker.key(),
            };
            intermediates.push(maker.certify(&above, &intermediate, Some(number), random())?);
            let upper = std::mem::replace(&mut above, intermediate);
            root_key.get_or_insert(upper.key);
        }
        intermediates.push(maker.certify(&above, &issuing, Some(0), random())?);
        intermediates.reverse();
        branches.push(Branch {
            root: root_certificate,
            root_key: root_key.unwrap_or(above.key),
            intermediates,
        });
    }
    Ok(Branched {
        issuing_key: issuing.key,
        branches,
    })
}

struct Authority {
    name: DistinguishedName,
    key: KeyPair,
}

struct Maker {
    rsa: bool,
    now: Timestamp,
    not_after: Timestamp,
}

impl Maker {
    fn key(&self) -> KeyPair {
        match self.rsa {
            true => KeyPair::generate_rsa2048(),
            false => KeyPair::generate_p256(),
        }
    }

    fn certify(
        &self,
        above: &Authority,
        subject: &Authority,
        path_length: Option<usize>,
        serial: [u8; 19],
    ) -> Result<Vec<u8>, HierarchyError> {
        let signer = Signer {
            name: &above.name,
            key: &above.key,
            not_after: self.not_after,
        };
        let identifier = |authority: &Authority| authority.key.public_key().key_identifier();
        let path_length = path_length.and_then(|length| u8::try_from(length).ok());
        let wanted = Wanted {
            serial,
            subject: &subject.name,
            key: &subject.key,
            not_after: self.not_after,
            extensions: ca_extensions(&identifier(subject), &identifier(above), path_length),
            is_ca: true,
        };
        signer.sign(wanted, self.now)
    }
}

fn name(role: &str, label: &str) -> Result<DistinguishedName, HierarchyError> {
    Ok(DistinguishedName::with_organization(
        "Vidimus",
        &format!("Vidimus Test {role} {label}"),
    )?)
}

/// Six hex digits.
fn label(random: [u8; 19]) -> String {
    pkix::hex::encode(&random[..3])
}

const YEARS: u64 = 30;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use pkix::certificate::Certificate;

    use super::*;

    fn created(shape: Shape) -> Branched {
        let mut count = 0_u8;
        let random = || {
            count += 1;
            [count; 19]
        };
        create_branched(shape, random, "2026-11-23T12:00:00Z".parse().unwrap()).unwrap()
    }

    #[test]
    fn every_branch_leads_from_the_same_issuing_key_to_a_root_of_its_own() {
        for (roots, intermediates, rsa) in [(1, 1, false), (3, 2, false), (2, 1, true), (1, 4, false), (0, 0, false)] {
            let made = created(Shape {
                roots,
                intermediates,
                rsa,
            });
            assert_eq!(made.branches.len(), roots.max(1));
            let mut names = HashSet::new();
            for branch in &made.branches {
                assert_eq!(branch.intermediates.len(), intermediates.max(1));
                let chain = branch.intermediates.iter().chain([&branch.root]);
                let chain: Vec<_> = chain.map(|der| Certificate::parse(der).unwrap()).collect();
                assert_eq!(chain[0].spki_der(), made.issuing_key.public_key().spki_der());
                let root = &chain[chain.len() - 1];
                assert_eq!(root.spki_der(), branch.root_key.public_key().spki_der());
                for (index, below) in chain.iter().enumerate() {
                    let above = chain.get(index + 1).unwrap_or(below);
                    below.verify_signed_by(&above.public_key().unwrap()).unwrap();
                    assert_eq!(below.issuer(), above.subject());
                    assert!(below.is_ca());
                }
                assert!(names.insert(root.subject().der().to_vec()), "two roots have one name");
            }
        }
    }
}
