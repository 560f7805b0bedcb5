//! The numbers a public key consists of.

/// A public key that is well-formed, not yet known to be sound.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PublicKey {
    /// The uncompressed point (SEC 1 §2.3.3): 0x04 and both coordinates at their full length.
    Ec { curve: Curve, point: Vec<u8> },
    /// 32 bytes (RFC 8032 §5.1.5).
    Ed25519(Vec<u8>),
    /// Big-endian, no leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl PublicKey {
    pub(crate) fn from_coordinates(curve: Curve, x: &[u8], y: &[u8]) -> Self {
        Self::Ec {
            curve,
            point: [&[0x04], x, y].concat(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Curve {
    P256,
    P384,
}

impl Curve {
    /// RFC 7518 §6.2.1.1.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::P256, Self::P384].into_iter().find(|curve| curve.name() == name)
    }

    /// Bytes of one coordinate (RFC 7518 §6.2.1.2).
    pub(crate) fn coordinate_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }
}
