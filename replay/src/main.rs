//! `countersign-replay`: asks a log what was true, and whether it is intact. It writes no entry.

mod cmd;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use countersign_replay::ask::plain;

/// Asks a log what was true, and whether it is intact: a Countersign store, or the audit logs and credential
/// reports of AWS accounts, told apart by their content.
///
/// A store and audit logs may be asked together: each is told by itself, and the answers are listed together.
/// `explain`, `what-if`, `forecast`, `step`, `rebuild`, `receipt` and `growth` ask what only a store knows.
///
/// Exit codes: 0 answered; 1 something was found that was asked to fail on; 2 usage; 3 a part of the input could not
/// be read, and the rest was used; 4 the log was changed. Where several are true, it is the first of 4, 3 and 1: what may
/// be wrong with an answer comes before what it says.
#[derive(Parser)]
#[command(name = "countersign-replay", version)]
struct Arguments {
    #[command(subcommand)]
    question: Question,
}

#[derive(Subcommand)]
enum Question {
    Verify(cmd::verify::Ask),
    State(cmd::state::Ask),
    Timeline(cmd::timeline::Ask),
    Signins(cmd::signins::Ask),
    Rotations(cmd::rotations::Ask),
    Findings(cmd::findings::Ask),
    Diff(cmd::diff::Ask),
    Report(cmd::report::Ask),
    Export(cmd::export::Ask),
    Inputs(cmd::inputs::Ask),
    Explain(cmd::explain::Ask),
    WhatIf(cmd::what_if::Ask),
    Forecast(cmd::forecast::Ask),
    Step(cmd::step::Ask),
    Rebuild(cmd::rebuild::Ask),
    Receipt(cmd::receipt::Ask),
    Growth(cmd::receipt::Growth),
}

/// Says what is wrong with the arguments, without any character of theirs that a terminal obeys.
fn refused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _closed = error.print();
        return ExitCode::SUCCESS;
    }
    for line in error.render().to_string().lines() {
        let _closed = writeln!(std::io::stderr(), "{}", plain(line));
    }
    ExitCode::from(cmd::USAGE)
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refused(&error),
    };
    let answered = match arguments.question {
        Question::Verify(ask) => cmd::verify::run(&ask),
        Question::State(ask) => cmd::state::run(&ask),
        Question::Timeline(ask) => cmd::timeline::run(ask),
        Question::Signins(ask) => cmd::signins::run(&ask),
        Question::Rotations(ask) => cmd::rotations::run(&ask),
        Question::Findings(ask) => cmd::findings::run(&ask),
        Question::Diff(ask) => cmd::diff::run(&ask),
        Question::Report(ask) => cmd::report::run(&ask),
        Question::Export(ask) => cmd::export::run(&ask),
        Question::Inputs(ask) => cmd::inputs::run(&ask),
        Question::Explain(ask) => cmd::explain::run(&ask),
        Question::WhatIf(ask) => cmd::what_if::run(&ask),
        Question::Forecast(ask) => cmd::forecast::run(&ask),
        Question::Step(ask) => cmd::step::run(&ask),
        Question::Rebuild(ask) => cmd::rebuild::run(&ask),
        Question::Receipt(ask) => cmd::receipt::run(&ask),
        Question::Growth(ask) => cmd::receipt::run_growth(&ask),
    };
    answered.unwrap_or_else(|failure| failure.exit())
}
