//! The SNS transport against a server that misbehaves, and against moto.

mod moto;
mod outcomes;
mod secrecy;
#[path = "../../../sms-http/tests/it/stub.rs"]
mod stub;
mod support;
