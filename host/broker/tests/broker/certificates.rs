//! Files with further certificates.

use std::collections::BTreeMap;
use std::path::Path;

use hostler_broker::{Gate, GateError, Limits, Network, Secrets};
use hostler_engine::rights::Rights;

use crate::granted::http;

fn with_certificates(path: &Path) -> Result<Gate, GateError> {
    let network = Network { extra_ca: Some(path.to_owned()), ..Network::default() };
    let rights = Rights::default();
    Gate::through(&network, &rights, &BTreeMap::new(), &Secrets::default(), path, Limits::default())
}

#[test]
fn a_file_with_an_authoritys_certificate_is_taken() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broker/authority.pem");
    let rights = Rights { http: vec![http("https://tracker.example")], ..Rights::default() };
    let network = Network { extra_ca: Some(path), ..Network::default() };
    let (config, secrets, base) = (BTreeMap::new(), Secrets::default(), Path::new("/"));
    Gate::through(&network, &rights, &config, &secrets, base, Limits::default()).unwrap();
}

#[test]
fn a_file_of_certificates_that_cannot_be_used_is_named() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ca.pem");
    let missing = with_certificates(&path).unwrap_err();
    assert!(matches!(missing, GateError::CertificatesUnreadable { .. }), "{missing}");
    for content in ["", "no certificate", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&path, content).unwrap();
        let unusable = with_certificates(&path).unwrap_err();
        assert!(matches!(unusable, GateError::CertificatesUnusable { .. }), "{content:?}: {unusable}");
        assert!(unusable.to_string().contains(&path.display().to_string()));
    }
}
