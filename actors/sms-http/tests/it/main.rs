//! Both transports against a server that misbehaves in every way there is a row for.

mod any_input;
mod connections;
mod peer;
mod secrecy;
mod stub;
mod support;
mod twilio;
mod twilio_reports;
mod webhook;
mod webhook_reports;
