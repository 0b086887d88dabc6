//! Links over TLS.

use std::sync::Arc;

use countersign::SmsTransport;
use countersign_smpp::{SmppConfig, SmppTransport};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use crate::smsc::Smsc;
use crate::support::{NUMBER, Relay, TEXT, bound, config, message, recorded, soon};

/// A server with a certificate for `localhost`, and the root that it is under.
fn server() -> (TlsAcceptor, Vec<u8>) {
    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_pem = root.self_signed(&root_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::new(root, &root_key)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let server = builder.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).unwrap();
    (TlsAcceptor::from(Arc::new(server)), root_pem.into_bytes())
}

fn over_tls(host: &str, port: u16, roots: Vec<u8>) -> SmppConfig {
    SmppConfig { address: format!("smpps://{host}:{port}"), roots_pem: Some(roots), ..config(port) }
}

#[tokio::test]
async fn a_private_root_is_believed() {
    let smsc = Smsc::accepting().await;
    let (acceptor, roots) = server();
    let relay = Relay::start(smsc.port, Some(acceptor)).await;
    let transport = bound(over_tls("localhost", relay.port, roots)).await;
    assert!(soon(transport.submit(message(NUMBER, TEXT))).await.is_ok());
    let delivered = smsc.receipt("0", 2).await;
    assert_eq!(soon(transport.receipt()).await.unwrap().message_id, "0");
    recorded(&transport);
    assert_eq!(soon(delivered).await.unwrap(), 0);
    // A link over TLS that breaks is noticed as well.
    relay.cut();
    soon(transport.wait_for(|health| health.binds == 2 && health.submits)).await;
    assert!(soon(transport.submit(message(NUMBER, TEXT))).await.is_ok());
}

#[tokio::test]
async fn another_root_and_another_name_are_not() {
    let smsc = Smsc::accepting().await;
    let (acceptor, roots) = server();
    let relay = Relay::start(smsc.port, Some(acceptor)).await;
    let (_, other_roots) = server();
    for config in [over_tls("localhost", relay.port, other_roots), over_tls("127.0.0.1", relay.port, roots)] {
        let transport = SmppTransport::start(config).unwrap();
        soon(transport.wait_for(|health| health.failures >= 2)).await;
    }
    assert_eq!(smsc.counts().binds + smsc.counts().refused, 0);
}
