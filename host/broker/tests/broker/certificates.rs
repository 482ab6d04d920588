//! Files with further certificates.

use std::collections::BTreeMap;
use std::path::Path;

use hostler_broker::{Gate, GateError, Limits, Network, Secrets};
use hostler_engine::rights::{HttpRight, Rights};

use crate::granted::{gate_on, get, http, send};
use crate::names::Names;
use crate::tls;

fn with_certificates(path: &Path) -> Result<Gate, GateError> {
    let network = Network { extra_ca: Some(path.to_owned()), ..Network::default() };
    let rights = Rights::default();
    Gate::through(&network, &rights, &BTreeMap::new(), &Secrets::default(), path, Limits::default())
}

#[test]
fn a_file_with_an_authoritys_certificate_is_taken() {
    with_certificates(&tls::authority()).unwrap();
}

#[tokio::test]
async fn a_server_of_a_companys_own_authority_is_reached_where_that_is_trusted_and_only_there() {
    let (port, mut arrived) = tls::serve().await;
    let origin = format!("https://tracker.example:{port}");
    let right = HttpRight { addresses: vec!["127.0.0.1/32".parse().unwrap()], ..http(&origin) };
    let names = Names::answering(&[&["127.0.0.1"]]);
    let stranger = gate_on(&names.network(), vec![right.clone()], vec![]);
    let problem = send(&stranger, get(format!("{origin}/api/"))).await.unwrap_err();
    assert!(problem.message.contains("TLS"), "{problem}");
    assert!(arrived.try_recv().is_err());
    let network = Network { extra_ca: Some(tls::authority()), ..names.network() };
    let answer = send(&gate_on(&network, vec![right], vec![]), get(format!("{origin}/api/"))).await.unwrap();
    assert_eq!(answer.body, b"ok");
    assert!(arrived.recv().await.unwrap().starts_with("GET /api/ "));
    // Trusted for the names in its certificate, and no other.
    let other = format!("https://other.example:{port}");
    let right = HttpRight { addresses: vec!["127.0.0.1/32".parse().unwrap()], ..http(&other) };
    send(&gate_on(&network, vec![right], vec![]), get(format!("{other}/api/"))).await.unwrap_err();
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
